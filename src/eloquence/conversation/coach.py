"""The coach: the livekit Agent that hears, answers and speaks as the character."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from typing import Any

from livekit import rtc
from livekit.agents import Agent, ModelSettings, llm, stt, tts, utils
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, FlushSentinel
from livekit.agents.voice.io import TimedString

from eloquence.conversation.aloud import spoken
from eloquence.conversation.clauses import Clauses
from eloquence.conversation.fallback.voices import Answer, Voices
from eloquence.conversation.filler import Fillers
from eloquence.conversation.hooks import Hooks, NoHooks, as_read, passed, written
from eloquence.conversation.listening import Listening, is_backchannel, plain
from eloquence.conversation.tape import RATE, TapedInput
from eloquence.conversation.turn_taking import SILENCE
from eloquence.conversation.utterance import UTTERANCE, Utterance
from eloquence.delivery.words import Word
from eloquence.errors import Cause, TextToSpeechError

_JUMP = 0.05
"""Seconds by which two frames may miss each other and still be one stretch of sound."""


class Coach(Agent):
    """One character in one conversation.

    `listening` collects what the learner says. `speaking()` tells whether the learner can hear the
    character right now, and not only that it waits for words; `ahead()` gives a line that is said
    in place of the model's answer, as the one that ends the exercise once its time is over, else
    None. `unsaid` is told why no voice is left. With `keep_sound` each utterance keeps its samples
    for the recording. `context` is what was said before, when the conversation goes on from an
    earlier process. A model's answer passes through `hooks`; `neutral()` is said where a filter
    that is required has failed, and `fillers` while it is late.
    """

    def __init__(
        self,
        *,
        instructions: str,
        listening: Listening,
        backchannels: frozenset[str],
        speaking: Callable[[], bool],
        ahead: Callable[[], str | None],
        keep_sound: bool,
        fillers: Fillers,
        unsaid: Callable[[Cause], None] = lambda cause: None,
        context: llm.ChatContext | None = None,
        hooks: Hooks | None = None,
        neutral: Callable[[], str] = lambda: "",
    ) -> None:
        super().__init__(instructions=instructions, chat_ctx=context)
        self._hooks = hooks or NoHooks()
        self._neutral = neutral
        self._fillers = fillers
        self._listening = listening
        self._backchannels = frozenset(plain(word) for word in backchannels)
        self._speaking = speaking
        self._ahead = ahead
        self._keep_sound = keep_sound
        self._unsaid = unsaid
        self.reply = ""
        """What the model has written of its latest answer."""
        self.utterance: Utterance | None = None
        """What was last given to the voice."""

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncGenerator[stt.SpeechEvent, None]:
        """Recognition, with backchannels over the character's speech left out.

        Word times come in seconds of the sound that the recogniser was given.
        """
        recogniser = self.session.stt
        assert recogniser is not None
        places = Places()

        async def forward(stream: stt.RecognizeStream) -> None:
            async for frame in audio:
                places.given(frame.userdata.get(TapedInput.POSITION, 0) / RATE, frame.duration)
                stream.push_frame(frame)

        conn_options = self.session.conn_options.stt_conn_options
        async with recogniser.stream(conn_options=conn_options) as stream:
            forwarding = asyncio.create_task(forward(stream))
            try:
                async for event in stream:
                    if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                        if self._goes_on(event):
                            continue
                        self._note(event, places)
                    yield event
            finally:
                await utils.aio.cancel_and_wait(forwarding)

    def _goes_on(self, event: stt.SpeechEvent) -> bool:
        if not event.alternatives or not self._speaking():
            return False
        said = event.alternatives[0]
        return is_backchannel(said.text, said.end_time - said.start_time, self._backchannels)

    def _note(self, event: stt.SpeechEvent, places: "Places") -> None:
        if not event.alternatives or not event.alternatives[0].text:
            return
        said = event.alternatives[0]
        words = [
            Word(
                text=str(word).strip(),
                start=places.at(float(word.start_time)),
                end=places.at(float(word.end_time)),
                confidence=word.confidence if isinstance(word.confidence, float) else None,
            )
            for word in said.words or ()
            if isinstance(word, TimedString)
            and isinstance(word.start_time, int | float)
            and isinstance(word.end_time, int | float)
        ]
        self._listening.recognised(said.text, words, places.end - SILENCE)

    async def llm_node(
        self,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        model_settings: ModelSettings,
    ) -> AsyncGenerator[llm.ChatChunk | str | FlushSentinel, None]:
        """The model's answer, or the line that is said in its place."""
        self.reply = ""
        line = self._ahead()
        if line is not None:
            self.reply = line
            yield line
            return
        hooks = self._hooks
        if hooks.reads:
            chat_ctx = await as_read(chat_ctx, hooks)
        answer = Agent.default.llm_node(self, chat_ctx, tools, model_settings)
        if hooks.speaks:
            answer = passed(answer, hooks, self._neutral)
        over = self._listening.taken
        async with aclosing(self._fillers.before(answer, over=over)) as said:
            async for chunk in said:
                self.reply += written(chunk)
                yield chunk

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Speech from the first clause on; each frame carries the utterance it belongs to."""
        utterance = self.utterance = Utterance(pcm=[] if self._keep_sound else None)
        voice = self.session.tts
        assert voice is not None
        said = voice.answer() if isinstance(voice, Voices) else voice
        clauses = Clauses()
        async for chunk in text:
            utterance.text += chunk
            for clause in clauses.push(chunk):
                async with aclosing(self._speech(said, clause.text, utterance)) as frames:
                    async for frame in frames:
                        yield frame
        for clause in clauses.flush():
            async with aclosing(self._speech(said, clause.text, utterance)) as frames:
                async for frame in frames:
                    yield frame
        utterance.complete = True

    async def _speech(
        self, voice: Answer | tts.TTS[Any], clause: str, utterance: Utterance
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """A clause in sound or, once no voice is left, shown beside the sentence that says so."""
        if utterance.unsaid is not None:
            utterance.show(clause)
            return
        read = spoken(clause)
        if not read:
            return
        begins = utterance.duration
        known = len(utterance.timed)
        conn_options = self.session.conn_options.tts_conn_options
        try:
            async with voice.synthesize(read, conn_options=conn_options) as stream:
                async for audio in stream:
                    yield _tagged(audio.frame, utterance, begins)
        except TextToSpeechError as error:
            if not isinstance(voice, Answer):
                raise
            self._unsaid(error.cause)
            utterance.lose(clause, known)
            for frame in voice.voices.apology():
                yield _tagged(frame, utterance, begins)
        else:
            utterance.close(clause, begins, known)


class Places:
    """Where on the session's clock the sound is that a recogniser was given.

    A recogniser counts the seconds it was given; a pause of the microphone is not among them.
    """

    def __init__(self) -> None:
        self._marks: list[tuple[float, float]] = []
        self._given = 0.0

    def given(self, position: float, seconds: float) -> None:
        """Notes that a frame from that position of the session was given."""
        if not self._marks or abs(position - self.at(self._given)) > _JUMP:
            self._marks.append((self._given, position))
        self._given += seconds

    @property
    def end(self) -> float:
        """The position in the session of the last sound given."""
        return self.at(self._given)

    def at(self, seconds: float) -> float:
        """The position in the session of that second of the sound given."""
        since, position = 0.0, 0.0
        for mark in self._marks:
            if mark[0] > seconds:
                break
            since, position = mark
        return position + seconds - since


def _tagged(frame: rtc.AudioFrame, utterance: Utterance, offset: float) -> rtc.AudioFrame:
    for word in frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, ()):
        if isinstance(word.start_time, int | float):
            utterance.timed.append((str(word), float(word.start_time) + offset))
    utterance.duration += frame.duration
    if utterance.pcm is not None:
        utterance.pcm.append(bytes(frame.data))
    frame.userdata[UTTERANCE] = utterance
    if utterance.made_at is None:
        utterance.made_at = time.time()
    return frame
