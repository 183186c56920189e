"""One conversation, from the opening line to the stored end, over any transport."""

import asyncio
import contextlib
import itertools
import logging
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    ErrorEvent,
    SpeechCreatedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    llm,
    utils,
)
from livekit.agents.types import APIConnectOptions
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.agent_session import SessionConnectOptions

from eloquence import protocol
from eloquence.coaching.checkpoint import Checkpoint
from eloquence.coaching.hints import BLOCKED, Hint
from eloquence.coaching.practice import uses
from eloquence.coaching.prompt import instructions
from eloquence.coaching.script import Conductor, Heard, Line
from eloquence.coaching.session import (
    Latency,
    SessionEnd,
    SessionStore,
    Status,
    Turn,
)
from eloquence.coaching.warm_up import microphone_faults
from eloquence.conversation.captions import Captions
from eloquence.conversation.coach import Coach
from eloquence.conversation.fallback.answers import Answers
from eloquence.conversation.fallback.chain import Switch
from eloquence.conversation.fallback.recognisers import BY_EAR, LATE, Recognisers
from eloquence.conversation.faults import TOLD, cause_of, stage_of
from eloquence.conversation.filler import Fillers
from eloquence.conversation.guidance import Cue, Guidance
from eloquence.conversation.journal import Journal
from eloquence.conversation.listening import Listening
from eloquence.conversation.pace import Pace
from eloquence.conversation.plan import Plan, Recording
from eloquence.conversation.stages import HEARD, Conducts
from eloquence.conversation.stopwatch import Stopwatch
from eloquence.conversation.tape import RATE, Tape, TapedInput
from eloquence.conversation.transport import Transport
from eloquence.conversation.turn_taking import (
    SILENCE,
    end_of_turn,
    endpointing,
    patience_with,
    preparing,
    turn_handling,
    voice_activity,
)
from eloquence.conversation.utterance import Utterance
from eloquence.delivery.sound import Sound
from eloquence.errors import Cause, LeaseLostError, RemoteProtocolError, StorageError
from eloquence.registry import Stage

log = logging.getLogger("eloquence.conversation")

_NUDGE_AFTER = (12.0, 30.0)
"""Seconds of silence after which the character offers to wait: once, then once more."""
_GRACE = 8.0
"""Seconds of silence after the planned time, then the character closes by itself."""
_MARGIN = 0.3
"""Seconds of sound kept on both sides of a turn when it is measured."""
_STATES = ("listening", "thinking", "speaking")
_KNOWN = 20
"""Letters of a line by which it is known again, also when it was cut short."""
_WORDS_SECONDS = 8.0
"""Seconds for which the words of a turn that was ended by key are waited for."""
_NONE = -2
_UNANSWERED = 2.0
"""Seconds after which a turn that nobody is answering counts as an empty answer."""
_STUCK = 15.0
"""Seconds of thinking after which a stage is taken to hang."""
_AFTER_WARM_UP = 3.0
"""Seconds of silence after a warm-up that has had enough, then the exercise begins by itself."""
_NOT_ANSWERED = 20.0
"""Seconds of silence after the last offer to wait, then a warm-up that nobody answers is left."""
_ORDERS_AT_MOST = 12
_MESSAGES_AT_MOST = 60
_PER = 5.0
"""So many orders, and so many messages in all, in so many seconds: more than a person makes."""
_SHOWN_AGAIN = 6
"""Turns that are shown again to a learner who comes back."""
_NOTICED = 3.0
"""Seconds of absence from which the character says that the line was lost."""
_END_SECONDS = 30.0
"""Seconds for which the end of a session is tried to be stored."""
SUPERSEDED = "superseded"
"""Reason of a conversation that left because another process holds its session."""
_LLM = APIConnectOptions(max_retry=1, retry_interval=0.3, timeout=10.0)
_STT = APIConnectOptions(max_retry=2, retry_interval=0.5, timeout=10.0)
_TTS = APIConnectOptions(max_retry=1, retry_interval=0.3, timeout=10.0)


class Conversation:
    """Runs a plan over a transport and stores each turn the moment it ends."""

    def __init__(self, plan: Plan, transport: Transport, store: SessionStore) -> None:
        self._plan = plan
        self._transport = transport
        self._store = store
        self._tape = Tape(origin=plan.session.started_at)
        self._listening = Listening(plan.last_turn)
        earlier = plan.resumed
        since = None if earlier is None else earlier.checkpoint
        self._clock = Stopwatch.at(0.0 if since is None else since.elapsed)
        self._conductor = plan.stages.llm if isinstance(plan.stages.llm, Conducts) else None
        self._answers = plan.stages.llm if isinstance(plan.stages.llm, Answers) else None
        self._script = self._answers.conductor if self._answers is not None else self._conductor
        """The exercise's file, where it conducts alone or stands by."""
        self._spare = Conductor(
            plan.exercise,
            plan.scenario,
            plan.session.language,
            plan.seed,
            encourage=not plan.session.exam,
        )
        """Goes on with the exercise where nobody else answers."""
        self._spare_close = ""
        self._unheard = (_NONE, "")
        """The latest turn of which no word was understood, and what is said to it."""
        self._unheard_lines = itertools.cycle(plan.lines.unheard)
        self._fillers = Fillers(plan.lines.filler, held=self._sound_held)
        self._guidance = Guidance(
            plan.session,
            plan.exercise,
            plan.scenario,
            plan.lines,
            warm_up=plan.warm_up,
            hints=plan.hints,
            conducted=self._conductor is not None,
            seed=plan.seed,
        )
        self._place = self._script.place if self._script is not None else None
        """Where the conductor stood after the last line that was heard."""
        if since is not None:
            self._guidance.restore(since.guidance)
            self._place = since.place or self._place
            if self._script is not None and self._place is not None:
                self._script.place = self._place
                self._script.level = since.guidance.level
        self._read_from = 0 if since is None else since.read_from
        """Index of the first turn that a language model reads."""
        self._cue: Cue | None = None
        """What is said to the latest turn in place of the partner's answer."""
        whole = plan.session.purpose == "exercise"
        self._scene_since = 0.0 if whole and self._guidance.phase == "exercise" else None
        """When on the clock the exercise's own time began."""
        if since is not None:
            self._scene_since = since.scene_since
        self._warm_up_sounds: list[Sound] = []
        self._forbidden_uses = 0 if since is None else since.forbidden_uses
        self._orders = Pace(_ORDERS_AT_MOST, _PER)
        self._messages = Pace(_MESSAGES_AT_MOST, _PER)
        self._late_patience: float | None = None
        self._late_words = False
        """Whether words are late, which is not said while the key is held."""
        self._late_line: SpeechHandle | None = None
        """What was said last while words were waited for."""
        self._cutting_in: asyncio.Task[None] | None = None
        self._journal = Journal(
            plan.session.id,
            store,
            self._tape,
            plan.measure,
            stored=self._acknowledge,
            failed=lambda error: self._tell("storage_failed", error.message),
            lost=lambda: self._finish("interrupted", SUPERSEDED),
            measured=self._note_sound,
        )
        for chain in plan.chains:
            chain.switched = self._on_switch
        self._over: asyncio.Future[tuple[Status, str]] = asyncio.get_running_loop().create_future()
        said = () if earlier is None else earlier.turns
        self._recent = deque(said, maxlen=_SHOWN_AGAIN)
        self._next_index = said[-1].index + 1 if said else 0
        self._caption = 0
        self._away_since: float | None = None
        """When the learner vanished from the line; None while they are there."""
        self._heard_text = ""
        self._utterance: Utterance | None = None
        self._learner_ended: float | None = None
        self._quiet_since = time.monotonic()
        self._last_heard = time.monotonic()
        self._paused_before = self._cut_short = False
        """What the learner's vanishing broke into: their own pause; somebody's speech, or an
        answer on its way, until it was gone on from there."""
        self._nudged = 0
        self._apologies = itertools.cycle(plan.lines.no_answer)
        self._unfiltered = itertools.cycle(plan.lines.unfiltered)
        self._captions = Captions(plan.hooks, transport.send)
        self._goodbye = False
        self._owed_since: float | None = None
        self._typed: asyncio.Queue[str] = asyncio.Queue(maxsize=8)
        self._taken = asyncio.Event()
        """Set when a turn of the learner is taken."""
        self._cut_off = False
        self._apology_owed = False
        self._sorry_for = -1
        """How many turns there were when an apology was last made."""
        self._failed_stage: Stage | None = None
        self._coach = Coach(
            instructions=self._instructions(),
            listening=self._listening,
            backchannels=plan.lines.backchannels,
            speaking=lambda: transport.audible and not self._awaits_words,
            ahead=self._ahead,
            keep_sound=plan.recording is not None,
            unsaid=self._note_unsaid,
            context=_read(said, self._read_from),
            fillers=self._fillers,
            hooks=plan.hooks,
            neutral=lambda: next(self._unfiltered),
        )
        chosen = plan.patience if since is None else since.patience
        self._chosen_patience = chosen
        self._patience = patience_with(chosen, plan.exercise.patience)
        self._push_to_talk = plan.push_to_talk if since is None else since.push_to_talk
        if isinstance(plan.stages.stt, Recognisers):
            plan.stages.stt.late = self._on_late_words
        self._await_words()
        self._engine: AgentSession[Any] = AgentSession(
            stt=plan.stages.stt,
            llm=plan.stages.llm,
            tts=plan.stages.tts,
            vad=voice_activity(),
            turn_handling=turn_handling(
                self._patience, push_to_talk=self._push_to_talk, frugal=self._frugal
            ),
            tts_text_transforms=None,  # they hold each clause back until the next one
            aec_warmup_duration=None,
            user_away_timeout=None,
            session_close_transcript_timeout=0.3,
            conn_options=SessionConnectOptions(
                stt_conn_options=_STT,
                llm_conn_options=_LLM,
                tts_conn_options=_TTS,
                max_unrecoverable_errors=sys.maxsize,  # a service that fails ends nothing
            ),
        )

    async def run(self) -> SessionEnd:
        """Holds the conversation and returns how it ended, which is stored by then.

        Raises StorageError when the session cannot be opened or ended in the store.
        """
        if self._plan.resumed is None:
            await self._store.open(self._plan.session)
        status: Status = "interrupted"
        reason = "process_stopped"
        try:
            status, reason = await self._hold()
        except Exception:
            status, reason = "failed", "engine"
            raise
        finally:
            end = SessionEnd(status=status, reason=reason, duration=self._clock.elapsed())
            with contextlib.suppress(LeaseLostError):  # whoever holds it now ends it
                if reason != SUPERSEDED:
                    await self._store_end(end)
        return end

    async def _store_end(self, end: SessionEnd) -> None:
        """Ends the session in the store, which may be away for a moment. Raises StorageError."""
        last_try = time.monotonic() + _END_SECONDS
        while True:
            try:
                return await self._store.end(self._plan.session.id, end)
            except LeaseLostError:
                raise
            except StorageError as error:
                if time.monotonic() >= last_try:
                    raise
                log.error("the end of a session waits to be stored: %s", error.message)
            await asyncio.sleep(1.0)

    async def _hold(self) -> tuple[Status, str]:
        async with utils.http_context.open(), asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._journal.write(tasks))
            self._plan.hooks.on_off = self._tell_off
            showing = tasks.create_task(self._captions.pass_on())
            try:
                await self._start()
                return await self._until_over()
            finally:
                self._plan.hooks.on_off = None
                await self._stop()
                showing.cancel()
                await self._journal.close()

    async def _until_over(self) -> tuple[Status, str]:
        reading = asyncio.create_task(self._read_messages())
        watching = asyncio.create_task(self._keep_time())
        typing = asyncio.create_task(self._answer_typed())
        waited: set[asyncio.Future[Any]] = {reading, watching, typing, self._over}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            broken = [task for task in (watching, typing, reading) if task.done()]
            await utils.aio.cancel_and_wait(watching, typing, reading)
        if self._over.done():
            return self._over.result()
        try:
            for task in broken:
                task.result()
        except RemoteProtocolError as error:
            self._transport.send(protocol.Failure(code=error.code, message=error.message))
            return "interrupted", "protocol"
        return "interrupted", "process_stopped" if self._plan.stopping() else "page_closed"

    async def _start(self) -> None:
        plan, engine = self._plan, self._engine
        engine.on("user_state_changed", self._on_user_state)
        engine.on("user_input_transcribed", self._on_transcript)
        engine.on("conversation_item_added", self._on_item)
        engine.on("speech_created", self._on_speech)
        engine.on("error", self._on_error)
        engine.on("close", self._on_close)
        self._transport.on_playback = self._on_playback
        listener = None
        if plan.recording is not None:
            listener = partial(_record, plan.recording)
        engine.input.audio = TapedInput(self._transport.audio_input, self._tape, listener=listener)
        engine.output.audio = self._transport.audio_output
        await engine.start(self._coach, record=False)
        if self._push_to_talk:
            engine.input.set_audio_enabled(False)
        self._transport.on_presence = self._on_presence
        self._transport.send(self._ready(resumed=plan.resumed is not None))
        self._show_again()
        engine.on("agent_state_changed", self._on_agent_state)
        if self._away_since is not None:
            self._cut_short = True  # what is to be said waits for somebody to hear it
        elif plan.resumed is None or not plan.resumed.turns:
            engine.say(self._guidance.opening)
        else:
            self._go_on()

    def _ready(self, *, resumed: bool) -> protocol.Ready:
        began = self._scene_since
        return protocol.Ready(
            session=self._plan.session.id,
            character=self._plan.character.name,
            title=self._plan.exercise.title,
            duration=self._plan.duration,
            patience=self._patience.maximum,
            by_ear=self._plan.by_ear,
            stages=dict(self._plan.statuses),
            purpose=self._plan.session.purpose,
            task=self._plan.task,
            phase=self._guidance.phase,
            level=self._guidance.level,
            exam=self._plan.session.exam,
            hints=self._guidance.offers_hints,
            goal=self._plan.session.goal,
            resumed=resumed,
            elapsed=0.0 if began is None else round(self._clock.elapsed() - began, 1),
        )

    async def _stop(self) -> None:
        if self._cutting_in is not None:
            await utils.aio.cancel_and_wait(self._cutting_in)
        if self._listening.speaking:
            self._cut_off = True
            self._listening.voice_ended(self._tape.end)
        await self._engine.aclose()
        self._keep_unfinished_turn()
        self._transport.on_playback = self._transport.on_presence = None
        await self._plan.stages.aclose()

    # the learner's client

    async def _read_messages(self) -> None:
        async with aclosing(self._transport.messages()) as messages:  # type: ignore[type-var]
            async for message in messages:
                self._obey(message)

    def _obey(self, message: protocol.ClientMessage) -> None:
        engine, paused = self._engine, self._clock.paused_at is not None
        if not self._messages.allows():
            raise RemoteProtocolError("Messages arrive much faster than a person acts.")
        if isinstance(message, _ORDERS) and not self._orders.allows():
            self._refuse(message)
            return
        match message:
            case protocol.End():
                self._finish("complete", "learner")
            case protocol.Interrupt():
                engine.interrupt(force=True)
            case protocol.Say() if not paused and self._typed.full():
                self._tell("too_fast", self._plan.lines.too_fast)
            case protocol.Say(text=text) if not paused:
                self._typed.put_nowait(text)
            case protocol.Help() if not paused:
                self._help()
            case protocol.Repeat() if not paused:
                engine.interrupt(force=True)
                engine.say(self._guidance.question)
            case protocol.Restart() if not paused:
                engine.interrupt(force=True)
                engine.clear_user_turn()
                self._keep_unfinished_turn()
                self._restart()
                engine.say(self._guidance.first_question)
            case protocol.Pause():
                self._pause()
            case protocol.Resume():
                self._resume()
                if self._cut_short:
                    self._go_on()
            case protocol.SetPatience(seconds=seconds):
                self._set_patience(seconds)
            case protocol.SetPushToTalk(on=on):
                self._push_to_talk = on
                self._await_words()
                engine.update_options(
                    turn_detection="manual" if on else end_of_turn(),
                    endpointing_opts=endpointing(self._patience, push_to_talk=on),
                )
                engine.input.set_audio_enabled(not on and not paused)
            case protocol.Press() if self._push_to_talk and not paused:
                engine.interrupt(force=True)
                engine.clear_user_turn()
                engine.input.set_audio_enabled(True)
            case protocol.Release() if not paused:
                if self._push_to_talk:
                    engine.input.set_audio_enabled(False)
                self._plan.last_turn.finished = not self._push_to_talk
                if self._plan.session.purpose != "exercise" and not self._transport.audible:
                    engine.interrupt(
                        force=True
                    )  # the answer prepared meanwhile expects more to come
                spoken = self._listening.speaking or self._listening.pending
                engine.commit_user_turn(
                    transcript_timeout=_WORDS_SECONDS if spoken else 2.0, stt_flush_duration=0.6
                )
                if self._late_words:
                    self._on_late_words()
            case protocol.Joined():
                self._nudged = 0  # whatever was said to a line that was lost unnoticed
                self._transport.send(self._ready(resumed=bool(self._recent)))
                self._show_again()
                if paused:
                    self._transport.send(protocol.StateChanged(state="paused"))
            case protocol.Hello():
                raise RemoteProtocolError("A second hello came in one conversation.")
            case _:
                pass

    def _refuse(self, message: protocol.ClientMessage) -> None:
        """Orders that come too fast are not followed, and that is told; of settings the last one
        counts a little later."""
        if isinstance(message, protocol.SetPatience):
            self._late_patience = message.seconds
        elif isinstance(message, protocol.SetPushToTalk):
            raise RemoteProtocolError("Settings change much faster than a person acts.")
        else:
            self._tell("too_fast", self._plan.lines.too_fast)

    def _set_patience(self, seconds: float) -> None:
        self._late_patience = None
        self._chosen_patience = seconds
        self._patience = patience_with(seconds, self._plan.exercise.patience)
        self._await_words()
        self._engine.update_options(
            endpointing_opts=endpointing(self._patience, push_to_talk=self._push_to_talk)
        )

    def _await_words(self) -> None:
        """Sets from when on words are late: before a turn can be over nobody speaks."""
        recognisers = self._plan.stages.stt
        if isinstance(recognisers, Recognisers):
            least = 0.0 if self._push_to_talk else self._patience.minimum
            recognisers.lateness = max(LATE, least)

    def _pause(self) -> None:
        self._clock.pause()
        self._engine.input.set_audio_enabled(False)
        self._transport.suspend(True)
        self._owed_since = None
        self._transport.send(protocol.StateChanged(state="paused"))

    def _resume(self) -> None:
        self._clock.resume()
        self._quiet_since = self._last_heard = time.monotonic()
        if self._owed_since is not None:  # of a turn that was over in the pause
            self._owed_since = time.monotonic()
        self._engine.input.set_audio_enabled(not self._push_to_talk)
        self._transport.suspend(False)
        state: protocol.State = "speaking" if self._transport.audible else "listening"
        self._transport.send(protocol.StateChanged(state=state))

    def _tell(self, code: str, message: str) -> None:
        self._transport.send(protocol.Notice(code=code, message=message))

    # the coach's own part

    def _instructions(self) -> str:
        plan = self._plan
        return instructions(
            plan.character,
            plan.exercise,
            plan.scenario,
            level=self._guidance.level or 1,
            exam=plan.session.exam,
            besides=plan.instructions,
            known=plan.known,
        )

    def _ahead(self) -> str | None:
        """What is said in place of the model's answer to the latest turn."""
        last_line = self._last_line()
        if last_line is not None:
            return last_line
        facts = self._plan.last_turn
        if self._listening.taken:
            cue = self._cue
        else:
            cue = self._guidance.cue(facts.text, facts.seconds, self._clock.elapsed())
        return self._unheard_line() if cue is None else cue.line

    def _unheard_line(self) -> str | None:
        """What is said to a turn of which no word was understood, while the partner needs words:
        that it is so, then what the exercise's file says next."""
        facts = self._plan.last_turn
        if facts.text or not facts.seconds or self._plan.by_ear or self._conductor is not None:
            return None
        turn = self._caption - self._listening.taken
        latest, line = self._unheard
        if latest == turn:
            return line
        if latest == turn - 1:
            said = self._go_on_by_file()
            line = said.text
            self._spare_close = line if said.done else ""
        else:
            line = next(self._unheard_lines)
        self._unheard = turn, line
        return line

    def _take_cue(self) -> None:
        """Decides what the turn that is over calls for, besides an answer."""
        facts, now = self._plan.last_turn, self._clock.elapsed()
        self._cue = cue = self._guidance.take(facts.text, facts.seconds, now)
        if cue is not None and cue.hint is not None:
            self._show_hint(cue.hint, spoken=True)
        if cue is not None and cue.restart:
            self._restart()

    def _follow_cue(self, said: str, *, interrupted: bool) -> None:
        """Brings about what was to follow a line, once it was said."""
        cue = self._cue
        if cue is None or cue.effect is None or not said or not cue.line.startswith(said):
            return
        if cue.effect != "begin":
            self._cue = None
        match cue.effect:
            case "begin":
                # A learner who goes on talking is still warming up, but not for ever.
                free = not (interrupted or self._listening.speaking)
                if free or self._guidance.overdue:
                    asyncio.get_running_loop().call_soon(self._begin)
            case "pause":
                self._pause()
            case "end":
                self._finish("complete", "learner")

    def _begin(self) -> None:
        """Leaves the warm-up: the scene opens, and its time begins."""
        if self._guidance.phase == "exercise" or self._over.done():
            return
        opening = self._guidance.begin()
        self._cue = None
        self._scene_since = self._clock.elapsed()
        self._nudged = 0
        self._transport.send(protocol.PhaseChanged(phase="exercise"))
        self._advise()
        self._forget()
        self._engine.say(opening)

    def _restart(self) -> None:
        self._guidance.restart()
        self._spare.restart()
        if self._script is not None:
            self._script.restart()
            self._place = self._script.place
        if self._scene_since is not None:
            self._scene_since = self._clock.elapsed()
        self._forget()

    def _forget(self) -> None:
        """Empties what a language model reads of the conversation so far."""
        self._read_from = self._next_index
        empty = self._coach.update_chat_ctx(llm.ChatContext.empty())
        self._tasks.create_task(empty)

    def _help(self) -> None:
        now = self._clock.elapsed()
        hint = self._guidance.asked(now)
        if hint is None:
            self._tell("no_hint", self._plan.lines.no_hint[0])
            return
        self._guidance.hints.gave(hint, now)
        talking = self._listening.speaking
        self._show_hint(hint, spoken=not talking)
        if not talking:
            self._engine.say(hint.text)

    def _offer_hint(self, silence: float) -> None:
        if self._guidance.phase == "warm_up" or silence <= BLOCKED:
            return
        now = self._clock.elapsed()
        hint = self._guidance.hints.offer(now, silence)
        if hint is not None:
            self._guidance.hints.gave(hint, now)
            self._show_hint(hint, spoken=False)

    def _show_hint(self, hint: Hint, *, spoken: bool) -> None:
        self._guidance.aside(hint.text)
        self._transport.send(protocol.Hint(text=hint.text, about=hint.about, spoken=spoken))

    def _advise(self) -> None:
        """Tells what is wrong with the microphone, once the whole warm-up was measured."""
        if self._guidance.phase == "warm_up" or self._journal.unmeasured:
            return
        for fault in microphone_faults(self._warm_up_sounds):
            self._tell(f"microphone_{fault}", self._plan.lines.microphone[fault])
        self._warm_up_sounds.clear()

    async def _judge(self, turn: Turn) -> None:
        """Moves the partner's level by how the turn was held."""
        grade = self._plan.grade
        if turn.level is None or turn.sound is None or grade is None:
            return
        try:
            score = await grade(turn)
        except Exception as error:  # a fault of the scores must not cost the conversation
            log.error("a turn was not scored: %s", type(error).__name__)
            return
        if not self._guidance.scored(score):
            return
        level = self._guidance.level
        assert level is not None
        if self._script is not None:
            self._script.level = level
        await self._coach.update_instructions(self._instructions())
        self._transport.send(protocol.LevelChanged(level=level, highest=self._guidance.highest))

    async def _cut_in(self, line: str) -> None:
        """The partner takes the turn from a learner who goes on talking."""
        at = self._tape.at(time.time())
        self._listening.voice_ended(at)
        self._cut_off = True
        self._taken.clear()
        self._engine.commit_user_turn(
            transcript_timeout=1.0, stt_flush_duration=0.3, skip_reply=True
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._taken.wait(), 1.5)
        self._keep_unfinished_turn()
        self._cut_off = False
        self._owed_since, self._cue = None, None
        if self._engine.user_state == "speaking":
            self._listening.voice_started(self._tape.at(time.time()))
        # Said over the learner: held back by their voice it would never be heard.
        self._engine.say(line, allow_interruptions=False)

    # typed turns

    async def _answer_typed(self) -> None:
        """Takes typed turns one after the other, each after the character has fallen silent."""
        while True:
            text = await self._typed.get()
            await self._engine.interrupt(force=True)
            self._last_heard = time.monotonic()
            self._listening.recognised(text, [])
            self._taken.clear()
            self._engine.generate_reply(user_input=text)
            with contextlib.suppress(TimeoutError):  # interrupted at once, it is never taken
                async with asyncio.timeout(_STUCK):
                    await self._taken.wait()

    # a learner, or a process, that was gone

    def _on_presence(self, present: bool) -> None:
        if not present and self._away_since is None:
            self._away_since = time.monotonic()
            self._paused_before = self._clock.paused_at is not None
            coming = self._owed_since is not None or self._engine.current_speech is not None
            self._cut_short |= coming or self._transport.audible or self._listening.speaking
            self._pause()
            self._engine.interrupt(force=True)
        elif present and self._away_since is not None:
            gone = time.monotonic() - self._away_since
            self._away_since = None
            self._nudged = 0
            self._transport.send(self._ready(resumed=True))
            self._show_again()
            if self._paused_before:
                self._transport.send(protocol.StateChanged(state="paused"))
                return
            self._resume()
            if gone >= _NOTICED or self._cut_short:
                self._go_on()

    def _show_again(self) -> None:
        """Shows a learner who comes back what was said last."""
        for turn in self._recent:
            self._transport.send(
                protocol.Caption(
                    id=f"t{turn.index}",
                    speaker=turn.speaker,
                    text=turn.text or HEARD,
                    final=True,
                    interrupted=turn.interrupted,
                )
            )

    def _go_on(self) -> None:
        """Says that the line was lost, and answers the turn that is owed an answer, or puts the
        question again."""
        self._cut_short = False
        self._engine.clear_user_turn()
        line = self._plan.lines.resumed[self._next_index % len(self._plan.lines.resumed)]
        self._guidance.aside(line)
        last = self._recent[-1] if self._recent else None
        if last is None or last.speaker == "character" or last.interrupted:
            again = f"{line} {self._guidance.question}"
            self._guidance.aside(again)
            self._engine.say(again)
            return
        self._listening.recall(last.text, last.end - last.start)
        self._cue = self._cue or self._guidance.owed(last.text, self._clock.elapsed())
        self._engine.say(line)
        self._engine.generate_reply()

    # time

    async def _keep_time(self) -> None:
        """Offers to wait in a silence, closes when the time is over, ends when nobody is there."""
        while not self._over.done():
            await asyncio.sleep(0.5)
            now = time.monotonic()
            if self._away_since is not None:
                if now - self._away_since >= self._plan.away:
                    self._finish("interrupted", "page_closed")
                continue
            paused_at = self._clock.paused_at
            if now - (paused_at or self._last_heard) >= self._plan.idle:
                self._finish("interrupted", "idle")
            if paused_at is not None:
                continue
            if self._late_patience is not None and self._orders.allows():
                self._set_patience(self._late_patience)
            self._watch_answer(now)
            self._watch_length()
            if self._engine.agent_state != "listening" or self._engine.user_state == "speaking":
                self._quiet_since = now
                continue
            silence = now - self._quiet_since
            last_line = self._last_line()
            if last_line is not None:
                if silence >= _GRACE and not self._goodbye:
                    self._goodbye = True
                    self._engine.say(last_line)
                elif silence >= 2 * _GRACE:
                    self._finish("complete", "duration")
                continue
            self._offer_hint(silence)
            if self._guidance.warmed_up and silence >= _AFTER_WARM_UP:
                self._begin()
            elif self._nudged < len(_NUDGE_AFTER):
                if silence >= _NUDGE_AFTER[self._nudged]:
                    nudges = self._guidance.nudges
                    if self._nudged < len(nudges):
                        self._engine.say(nudges[self._nudged])
                    self._nudged += 1
            elif silence >= _NOT_ANSWERED:
                self._begin()

    def _last_line(self) -> str | None:
        """The line that closes the exercise, once its time is over."""
        began = self._scene_since
        if began is None or self._clock.elapsed() - began < self._plan.duration:
            return None
        return self._plan.scenario.script.close[0]

    def _watch_answer(self, now: float) -> None:
        """Notices a turn that gets no answer though no stage has said that it failed."""
        if self._owed_since is None or self._listening.speaking or self._listening.pending:
            return
        waited = now - self._owed_since
        state = self._engine.agent_state
        if state == "listening" and waited >= _UNANSWERED:
            self._fail("llm", "bad_answer")
        elif waited >= _STUCK and (
            state == "thinking" or (self._fillers.waiting and self._answers is None)
        ):
            self._engine.interrupt(force=True)
            self._fail("tts" if self._coach.reply else "llm", "timeout")

    def _watch_length(self) -> None:
        """Lets the most demanding partner cut in on a long turn."""
        began = self._listening.began
        busy = self._cutting_in is not None and not self._cutting_in.done()
        if began is None or busy or self._push_to_talk or self._guidance.phase == "warm_up":
            return
        if not self._listening.speaking or self._engine.agent_state != "listening":
            return
        talked = self._tape.at(time.time()) - began
        line = self._guidance.interruption(talked, self._clock.elapsed())
        if line is not None:
            self._cutting_in = asyncio.create_task(self._cut_in(line))

    def _finish(self, status: Status, reason: str) -> None:
        if not self._over.done():
            self._over.set_result((status, reason))

    # what the engine tells

    def _on_user_state(self, event: UserStateChangedEvent) -> None:
        speaking = event.new_state == "speaking"
        at = self._tape.at(time.time())
        if speaking:
            self._last_heard = time.monotonic()
            self._nudged = 0
            self._late_words = False
            self._listening.voice_started(at)
        elif event.old_state == "speaking":
            self._listening.voice_ended(at - SILENCE)
        self._transport.send(protocol.Hearing(on=speaking))

    def _on_agent_state(self, event: AgentStateChangedEvent) -> None:
        if self._clock.paused_at is None and event.new_state in _STATES:
            self._transport.send(protocol.StateChanged(state=event.new_state))

    def _on_speech(self, event: SpeechCreatedEvent) -> None:
        event.speech_handle.add_done_callback(_look_at_failures)

    def _on_transcript(self, event: UserInputTranscribedEvent) -> None:
        text = f"{self._heard_text} {event.transcript}".strip()
        if event.is_final:
            self._heard_text = text
            self._late_words = False
            self._mark(event.transcript)
        self._show(text, final=False)

    def _mark(self, text: str) -> None:
        """Tells of each use of the word that a drill forbids."""
        word = self._plan.forbidden
        for _ in range(uses(text, word) if word else 0):
            self._forbidden_uses += 1
            self._transport.send(
                protocol.Mark(kind="forbidden_word", text=word, count=self._forbidden_uses)
            )

    def _show(self, text: str, *, final: bool) -> None:
        """Shows what the learner says, as the plugins let it be read."""
        caption = protocol.Caption(id=self._caption_id, speaker="learner", text=text, final=final)
        self._captions.show(caption)

    def _tell_off(self, name: str) -> None:
        """Tells of a plugin that was switched off."""
        self._tell("plugin_off", self._plan.lines.plugin_off.format(name=name))

    def _on_playback(self, utterance: Utterance, position: float, *, finished: bool) -> None:
        self._utterance = utterance
        if utterance.started_at is not None:
            self._keep_sound(utterance, utterance.started_at, position)
        if not finished:
            self._transport.send(
                protocol.Caption(
                    id=utterance.id,
                    speaker="character",
                    text=utterance.heard(position),
                    final=False,
                )
            )

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        item = event.item
        if not isinstance(item, llm.ChatMessage):
            return
        if item.role == "user":
            self._note_learner_turn(item)
        elif item.role == "assistant":
            self._note_character_turn(item)

    def _note_learner_turn(self, item: llm.ChatMessage) -> None:
        text, words, voice = self._listening.take()
        self._taken.set()
        if not (text or words or voice):
            return
        metrics = item.metrics or {}
        now = self._tape.at(time.time())
        start = min([v[0] for v in voice] + [w.start for w in words[:1]], default=now)
        end = max([v[1] for v in voice] + [w.end for w in words[-1:]], default=now)
        self._learner_ended = metrics.get("stopped_speaking_at", time.time())
        self._fillers.turn_over(self._learner_ended)
        phase = self._guidance.phase
        self._take_cue()
        self._keep(
            Turn(
                index=self._index(),
                speaker="learner",
                start=round(start, 3),
                end=round(max(start, end), 3),
                text=text,
                words=words or None,
                interrupted=self._cut_off,
                phase=phase,
                level=self._level,
                latency=Latency(
                    endpointing=_rounded(metrics.get("end_of_turn_delay")),
                    transcription=_rounded(metrics.get("transcription_delay")),
                ),
            )
        )
        self._show(text or HEARD, final=True)
        self._plan.hooks.heard(text)
        self._caption += 1
        self._heard_text = ""
        self._owed_since = time.monotonic()
        if self._apology_owed:
            asyncio.get_running_loop().call_soon(self._apologise)

    def _note_character_turn(self, item: llm.ChatMessage) -> None:
        metrics = item.metrics or {}
        heard = (item.text_content or "").strip()
        text = self._fillers.without(heard)
        if text != heard:
            item.content = [text]  # a model that reads them back would begin with them
        utterance = self._utterance or Utterance(text=heard)
        started = utterance.started_at or metrics.get("started_speaking_at") or time.time()
        start = self._tape.at(started)
        response = None
        if self._learner_ended is not None and utterance.handed_at is not None:
            response = utterance.handed_at - self._learner_ended
        self._learner_ended = None
        turn = Turn(
            index=self._index(),
            speaker="character",
            start=round(start, 3),
            end=round(max(start, self._tape.at(time.time())), 3),
            text=text,
            interrupted=item.interrupted,
            phase=self._guidance.phase,
            level=self._level,
            latency=Latency(
                llm=_rounded(metrics.get("llm_node_ttft")),
                tts=_rounded(metrics.get("tts_node_ttfb")),
                response=_rounded(response),
            ),
        )
        self._transport.send(
            protocol.Caption(
                id=utterance.id,
                speaker="character",
                text=heard,
                final=True,
                interrupted=turn.interrupted,
            )
        )
        self._quiet_since = time.monotonic()
        self._owed_since = None
        if self._scene_since is None and self._guidance.phase == "exercise":
            self._scene_since = self._clock.elapsed()  # a drill's time runs from its instruction on
        self._guidance.said(self._fillers.without(utterance.text) or turn.text)
        self._plan.hooks.said(turn.text)
        if self._script is not None:
            self._place = self._script.place
        self._keep(turn)
        self._follow_cue(turn.text, interrupted=turn.interrupted)
        last_line = self._last_line()
        if last_line is not None and turn.text and last_line.startswith(turn.text):
            self._finish("complete", "duration")
        elif self._script_finished(turn.text):
            self._finish("complete", "script")

    def _on_late_words(self) -> None:
        """Lets the learner know that they were heard, before what they said is understood."""
        engine = self._engine
        self._late_words = self._push_to_talk and engine.input.audio_enabled
        free = engine.agent_state == "listening" and engine.user_state != "speaking"
        if free and not self._late_words and self._clock.paused_at is None:
            self._late_line = engine.say(self._fillers.line(), add_to_chat_ctx=False)

    def _sound_held(self) -> bool:
        """Whether what announces an answer would only be heard after a pause, or after another
        speech. What has announced it is none: it is audible until the answer ends."""
        other = self._transport.audible and not self._fillers.announced
        return other or self._clock.paused_at is not None

    @property
    def _awaits_words(self) -> bool:
        """Whether the character is only saying that words are waited for: "yes", understood
        meanwhile, is an answer that was given before."""
        return self._late_line is not None and self._engine.current_speech is self._late_line

    @property
    def _frugal(self) -> bool:
        """Whether a stage is served outside now, so that answers should not be made in vain."""
        return any(chain.serving.status.leaves_machine for chain in self._plan.chains)

    def _on_switch(self, switch: Switch) -> None:
        """Shows who serves a stage from now on, and where; tells when words are not understood any
        more."""
        self._engine.options.preemptive_generation.update(preparing(frugal=self._frugal))
        self._transport.send(
            protocol.StageChanged(
                stage=switch.stage,
                provider=switch.status.provider,
                model=switch.status.model,
                leaves_machine=switch.status.leaves_machine,
                cause=switch.cause,
            )
        )
        if switch.status.provider == BY_EAR:
            self._tell(f"stt_{switch.cause or 'bad_answer'}", self._plan.lines.unheard[0])

    def _on_error(self, event: ErrorEvent) -> None:
        error = event.error
        if getattr(error, "recoverable", True):
            return
        stage = stage_of(error)
        if stage is None:
            return
        fault = getattr(error, "error", None)
        log.error("stage %s failed: %s", stage, type(fault).__name__)
        self._fail(stage, cause_of(fault))

    def _fail(self, stage: Stage, cause: Cause) -> None:
        """Tells the learner of a stage that failed; the words, or the apology, still reach them."""
        self._failed_stage = stage
        told = TOLD.get(cause, "The service failed.")
        self._transport.send(protocol.Notice(code=f"{stage}_{cause}", message=told))
        if stage == "tts":
            self._owed_since = None
            self._show_unspoken()
        elif stage == "llm":
            self._owed_since = None
            # An answer is tried before the turn is surely over; said now, the apology would be
            # cut off by the turn's end.
            if self._listening.pending:
                self._apology_owed = True
            else:
                self._apologise()

    def _note_unsaid(self, cause: Cause) -> None:
        """No voice is left for an answer, which is shown while a recorded sentence says so."""
        self._tell(f"tts_{cause}", self._plan.lines.voice_lost[0])

    def _show_unspoken(self) -> None:
        utterance = self._coach.utterance
        if utterance is not None and utterance.started_at is None:
            text = self._coach.reply or utterance.text
            self._transport.send(
                protocol.Caption(id=utterance.id, speaker="character", text=text, final=True)
            )

    def _apologise(self) -> None:
        """Says that there is no answer, and goes on with the exercise by its file."""
        self._apology_owed = False
        if self._sorry_for == self._next_index:
            return  # the same turn, of which another answer was prepared
        self._sorry_for = self._next_index
        line = self._go_on_by_file()
        whole = f"{next(self._apologies)} {line.text}"
        self._spare_close = whole if line.done else ""
        self._guidance.said(line.text)
        self._guidance.aside(whole)
        self._engine.say(whole)

    def _go_on_by_file(self) -> Line:
        """What the exercise's file says to the latest turn."""
        facts, spare = self._plan.last_turn, self._spare
        said = [turn.text for turn in self._recent if turn.speaker == "character"]
        if not said or spare.place.last[:_KNOWN] not in said[-1]:
            spare.take_over(said)
        spare.level = self._guidance.level or 1
        return spare.reply(
            Heard(facts.text, facts.seconds, facts.syllable_rate, facts.pauses, facts.finished)
        )

    def _script_finished(self, said: str) -> bool:
        """Whether what was said last is the close of the exercise's file."""
        if self._spare_close and said == self._spare_close:
            return True
        serving = self._conductor or self._answers
        return serving is not None and serving.finished

    def _on_close(self, event: CloseEvent) -> None:
        if event.reason == CloseReason.ERROR:
            self._finish("failed", self._failed_stage or "engine")

    # what is kept

    def _index(self) -> int:
        self._next_index += 1
        return self._next_index - 1

    def _keep(self, turn: Turn) -> None:
        """Hands a turn to the journal, with where the conversation stands after it."""
        self._recent.append(turn)
        self._journal.put(
            turn,
            Checkpoint(
                elapsed=self._clock.elapsed(),
                guidance=self._guidance.state,
                scene_since=self._scene_since,
                read_from=self._read_from,
                place=self._place,
                patience=self._chosen_patience,
                push_to_talk=self._push_to_talk,
                forbidden_uses=self._forbidden_uses,
            ),
        )

    @property
    def _level(self) -> int | None:
        return self._guidance.level if self._guidance.phase == "exercise" else None

    def _keep_sound(self, utterance: Utterance, started_at: float, position: float) -> None:
        recording, pcm = self._plan.recording, utterance.pcm
        if recording is None or pcm is None:
            return
        heard = int(position * protocol.OUTPUT_RATE) - utterance.recorded
        if heard > 0:
            sound = b"".join(pcm)
            begins = self._tape.at(started_at + utterance.held)
            begins += utterance.recorded / protocol.OUTPUT_RATE
            recording.character(begins, sound[: heard * 2])
            utterance.recorded += min(heard, len(sound) // 2)
            utterance.pcm = [sound[heard * 2 :]]

    def _keep_unfinished_turn(self) -> None:
        """Stores what was being said when the conversation was cut off."""
        if self._listening.pending:
            text, words, voice = self._listening.take()
            spans = voice or [(word.start, word.end) for word in words]
            self._keep(
                Turn(
                    index=self._index(),
                    speaker="learner",
                    start=round(spans[0][0], 3),
                    end=round(spans[-1][1], 3),
                    text=text,
                    words=words or None,
                    interrupted=True,
                    phase=self._guidance.phase,
                    level=self._level,
                )
            )

    def _acknowledge(self, turn: Turn) -> None:
        self._transport.send(
            protocol.TurnStored(
                index=turn.index, speaker=turn.speaker, response=turn.latency.response
            )
        )

    async def _note_sound(self, turn: Turn) -> None:
        """Takes what was measured on the sound of a turn."""
        if turn.phase == "exercise":
            await self._judge(turn)
        elif turn.sound is not None:
            self._warm_up_sounds.append(turn.sound)
        self._advise()

    @property
    def _caption_id(self) -> str:
        return f"l{self._caption}"


def _read(turns: Sequence[Turn], since: int) -> llm.ChatContext:
    """What a language model reads of a conversation that goes on in another process."""
    context = llm.ChatContext.empty()
    for turn in turns:
        if turn.index >= since and turn.text:
            role: llm.ChatRole = "user" if turn.speaker == "learner" else "assistant"
            context.add_message(role=role, content=turn.text, interrupted=turn.interrupted)
    return context


def _record(recording: Recording, sample: int, pcm: bytes) -> None:
    recording.learner(sample / RATE, pcm)


def _look_at_failures(speech: SpeechHandle) -> None:
    """The engine logs a speech that failed and leaves its task unlooked at, which asyncio would
    complain of later."""
    for task in speech._tasks:
        if task.done() and not task.cancelled():
            task.exception()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(max(0.0, seconds), 4)


_ORDERS = (
    protocol.Say,
    protocol.Interrupt,
    protocol.Help,
    protocol.Repeat,
    protocol.Restart,
    protocol.SetPatience,
    protocol.SetPushToTalk,
)
"""What costs work to follow, so that its number is bounded."""
