"""The voice of a conversation, which is never silent: the first of its voices that speaks.

A voice is asked once for each clause. One that fails before a sound was heard is replaced by the
next one; one that breaks off is gone on from where it was, in the next one's words. Sound is
passed on so that the listener never waits for it, and not much earlier, as what was not passed on
yet can still be said by somebody else.

A clause of which nothing was passed on yet is said again as a whole, which costs no word; of one
that was, `splice` finds the place, and tells how well.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, Never

import numpy as np
from livekit import rtc
from livekit.agents import APIError, APITimeoutError, tts, utils
from livekit.agents.types import (
    DEFAULT_API_CONNECT_OPTIONS,
    USERDATA_TIMED_TRANSCRIPT,
    APIConnectOptions,
    TimedString,
)

from eloquence.coaching.character import Language
from eloquence.conversation.clauses import MOST, Clauses, pause_after
from eloquence.conversation.fallback.chain import Chain, Link
from eloquence.conversation.fallback.intake import Intake, faded
from eloquence.conversation.fallback.splice import RATE, Pcm, quiet_places, resumed_at
from eloquence.delivery.syllables import syllable_count
from eloquence.errors import Cause, TextToSpeechError

Voice = tts.TTS[Any]

_ONCE = APIConnectOptions(max_retry=0, timeout=10.0)
_WITHIN = 2.8
"""Seconds after which a listener with nothing to hear hears at least that the voice is gone."""
_RESERVE = 0.65
"""Seconds of these that are kept for each voice that could still be asked."""
_LEAST = 0.4
"""Seconds that every voice is given."""
_AHEAD = 0.6
"""Seconds of sound that a listener has before them while a clause is not whole."""
_REFILL = 0.2
_FLOWS = (0.45, 0.25)
"""Seconds within which the last two pieces came of a voice that is well: while they do, half a word
is passed on rather than nothing."""
_WORTH = RATE // 10
"""Samples of half a word that are worth it."""
_EMPTY = 0.05
_HELD_BACK = RATE // 100
"""Samples that are kept so that a voice that breaks off can be faded out."""
_LEAD = round(0.05 * RATE)
"""Silence that is left before a voice begins."""
_PIECE = RATE // 10
_BEHIND = 1.5
"""Seconds that a clause's voice may fall behind who listens, while another could go on."""
_STALLED = 2.0
"""Seconds of silence in the middle of a clause after which a voice counts as hung."""
_TELLING = round(0.25 * RATE)
"""Less than that tells nothing about where a voice was: the clause begins anew."""
_SURE = RATE // 2
"""What has to come after the place where a voice goes on, for it to be the right one."""
_OVER = round(0.15 * RATE)
"""A rest so short is no word."""
_CLOSING = 2.0

_SLOWEST = 1.0
"""Seconds that a character may take: ten times as long as speech at the slowest setting of any
voice (0.25), since a figure, a sign or an emoji is spoken as several words."""
_SPARE = 4.0
_FASTEST = 9.0
"""Syllables a second, as the fastest readers reach: a clause that is faster is taken to be cut."""
_HASTE = 1.6
"""How much faster than itself a voice may speak before its clause counts as broken off."""
_HASTE_IF_ABRUPT = 1.25
"""The same of one that ends in the middle of its sound."""
_ALIKE = 0.15
"""By what share the rates of clauses may differ that all are so fast: then the voice is."""
_MARKS = frozenset(".,;:!?…’'()«»\"-")
_LONGEST = 25
_FEW, _MANY = 4, 6
"""Syllables from which on a clause can be judged by a rate, and a rate be learned from it."""
_HUSHED = 180
"""Peak of 16 bits, -45 dBFS: silence between clauses may have a breath in it."""


class Voices(tts.TTS[Never]):
    """The voices of `chain` as one: one clause a call, PCM16 at 24 kHz, mono.

    `first`, `idle` and `whole` are deadlines in seconds: to the first sound when another voice
    could be asked, between two pieces, and for a clause. `lost` is PCM16 at 24 kHz that is there
    without any voice: `apology` gives the first of it, then, until a voice speaks again, the next.
    A clause that nobody says raises TextToSpeechError, which the engine does not count.
    """

    def __init__(
        self,
        chain: Chain[Voice],
        language: Language,
        *,
        lost: Sequence[bytes] = (),
        first: float = 1.5,
        idle: float = 1.0,
        whole: float = 60.0,
    ) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False, aligned_transcript=True),
            sample_rate=RATE,
            num_channels=1,
        )
        self.chain = chain
        self.language: Language = language
        self.first = first
        self.idle = idle
        self.whole = whole
        self._lost = lost
        self._apologies = 0
        self._rates: dict[int, deque[float]] = {}
        self._doubts: dict[int, deque[float]] = {}
        self.known: set[int] = set()
        """Links that have spoken."""
        self._readers: set[asyncio.Task[None]] = set()

    @property
    def model(self) -> str:
        return self.chain.serving.stage.model

    @property
    def provider(self) -> str:
        return self.chain.serving.stage.provider

    def prewarm(self) -> None:
        """Readies whoever speaks first, and those on this machine that may have to in its place;
        nobody else is called before they are needed."""
        first, *others = self.chain.links
        for link in (first, *(other for other in others if not other.status.leaves_machine)):
            link.stage.prewarm()

    def answer(self) -> "Answer":
        """What is to be said next, clause by clause."""
        return Answer(self)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "SpokenText":
        return self.answer().synthesize(text, conn_options=conn_options)

    def apology(self) -> Iterator[rtc.AudioFrame]:
        """A recorded sentence: that the voice is gone, and that what it had to say is shown."""
        if self._lost:
            pcm = self._lost[min(self._apologies, len(self._lost) - 1)]
            self._apologies += 1
            yield from _frames(np.frombuffer(pcm, np.int16))

    async def aclose(self) -> None:
        for reader in self._readers:
            reader.cancel()
        if self._readers:
            await asyncio.wait(self._readers, timeout=_CLOSING)
        for link in self.chain.links:
            await link.stage.aclose()

    def take(self, link: Link[Voice], text: str) -> "Take":
        """Asks a voice for a clause."""
        take = Take(link, text)
        self._readers.add(take.reader)
        take.reader.add_done_callback(self._readers.discard)
        return take

    def said(self, take: "Take") -> None:
        """A voice said a clause."""
        self._apologies = 0
        self.known.add(id(take.link))
        self.chain.succeeded(take.link)
        rate = self._rate(take)
        if rate is not None and syllables(take.text, self.language) >= _MANY:
            self._rates.setdefault(id(take.link), deque(maxlen=8)).append(rate)

    def broken_off(self, take: "Take") -> bool:
        """Whether a clause is far shorter than its text can be said in (B29): faster than people
        speak or, of a voice that is known, much faster than itself. A voice that is so fast each
        time from the beginning is believed the third time."""
        rate = self._rate(take)
        known = self._rates.get(id(take.link), ())
        fastest = _FASTEST
        if len(known) > 1:
            fastest = median(known) * (_HASTE_IF_ABRUPT if take.intake.abrupt else _HASTE)
        if rate is None or rate <= fastest:
            return False
        if len(known) > 1:
            return True
        doubts = self._doubts.setdefault(id(take.link), deque(maxlen=3))
        doubts.append(rate)
        return len(doubts) < 3 or max(doubts) - min(doubts) > _ALIKE * rate

    def _rate(self, take: "Take") -> float | None:
        """Syllables a second of a clause; None when it has few, or when it has more than words in
        it, as nobody knows how a voice says figures and signs."""
        if not _plain(take.text):
            return None
        count = syllables(take.text, self.language)
        return count / take.intake.spoken if count >= _FEW else None


class Answer:
    """What the character says in one turn. A voice that failed is not asked again in it, so that
    one that takes over goes on to the end."""

    def __init__(self, voices: Voices) -> None:
        self.voices = voices
        self.failed: set[int] = set()
        self._heard_until: float | None = None
        self._pause = 0.0
        """Seconds of silence that are due before the next clause."""

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "SpokenText":
        """Says a text; its sound is an error's (TextToSpeechError) when nobody can say it."""
        return SpokenText(self, text, conn_options)

    def willing(self) -> Iterator[Link[Voice]]:
        links = self.voices.chain.links
        for link in self.voices.chain.admitted():
            if id(link) not in self.failed or link is links[-1]:
                yield link
            else:
                link.breaker.given_up()

    def patience(self, link: Link[Voice], until: float) -> float:
        """Seconds in which the voice is to be heard, when something must be by `until`."""
        following = self.following(link)
        left = until - time.monotonic() - _RESERVE * following
        patience = max(_LEAST, min(self.voices.first, left) if following else left)
        return patience + (0.0 if id(link) in self.voices.known else link.loading)

    def following(self, link: Link[Voice]) -> int:
        """How many voices could still be asked after that one."""
        links = self.voices.chain.links
        return sum(
            id(other) not in self.failed and other.breaker.state != "open"
            for other in links[links.index(link) + 1 :]
        )

    @property
    def ahead(self) -> float:
        """Seconds of sound that the listener has not heard yet."""
        if self._heard_until is None:
            return 0.0
        return max(0.0, self._heard_until - time.monotonic())

    def passed_on(self, seconds: float) -> None:
        now = time.monotonic()
        self._heard_until = max(now, self._heard_until or now) + seconds

    def breath(self, silence: float) -> float:
        """Seconds of silence to add before a clause that begins with `silence` of its own."""
        if self._heard_until is None:
            return 0.0
        waited = max(0.0, time.monotonic() - self._heard_until)
        return max(0.0, self._pause - silence - waited)

    def paused(self, text: str, silence: float) -> None:
        """A clause ended with `silence` seconds of it."""
        self._pause = max(0.0, pause_after(text) - silence)


class SpokenText(tts.ChunkedStream):
    """The sound of one call."""

    def __init__(self, answer: Answer, text: str, conn_options: APIConnectOptions) -> None:
        self._answer = answer
        super().__init__(tts=answer.voices, input_text=text, conn_options=conn_options)

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=RATE,
            num_channels=1,
            mime_type="audio/pcm",
        )
        delivery = _Delivery(self._answer, output_emitter)
        for text in _pieces(self.input_text):
            await _Clause(self._answer, delivery, text).say()
        if not delivery.position:
            delivery.push(np.zeros(RATE // 50, np.int16))  # nothing sayable is no failure


class Take:
    """What one voice gives for one clause, while it comes. The task that reads the voice's stream
    is the one that opened it, and closes it."""

    def __init__(self, link: Link[Voice], text: str) -> None:
        self.link = link
        self.text = text
        self.intake = Intake(_SPARE + _SLOWEST * len(text))
        self.words: list[tuple[str, int]] = []
        """With the sample at which each begins."""
        self.ended = False
        self.error: BaseException | None = None
        self.at: int | None = None
        """Sample up to which it was passed on; None when nothing is to be yet."""
        self.enough = _SURE
        """Samples from which on it can be told where it goes on from another voice."""
        self.joins = False
        """Whether its next sound goes on from another voice's."""
        self._came = (0.0, 0.0)
        """When sound came the last two times, on the monotonic clock."""
        self._arrived = asyncio.Event()
        self._given_up = False
        self.reader = asyncio.create_task(self._read(), name=f"voice {link.name}")

    @property
    def sound(self) -> Pcm:
        return self.intake.sound

    @property
    def length(self) -> float:
        """Seconds of sound from where it begins to be audible."""
        return (len(self.sound) - (self.intake.begins or 0)) / RATE

    @property
    def flows(self) -> bool:
        """Whether sound is coming."""
        now = time.monotonic()
        return all(now - at < most for at, most in zip(self._came, _FLOWS, strict=True))

    async def more(self, seconds: float) -> bool:
        """Waits for more sound or the end; False when neither comes in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            return False
        self._arrived.clear()
        return True

    def give_up(self) -> None:
        """Has the stream closed, without waiting for it."""
        if not self._given_up:
            self._given_up = True
            self.reader.cancel()

    async def close(self) -> None:
        if not self.ended:
            self.give_up()
        await asyncio.wait({self.reader}, timeout=_CLOSING)
        self.give_up()

    async def _read(self) -> None:
        try:
            async with _stream(self.link.stage, self.text) as stream:
                try:
                    async for audio in stream:
                        self._note(audio.frame)
                    self.intake.finish()
                    self._end()
                finally:
                    _look_at_failures(stream)
        except asyncio.CancelledError:
            if self._given_up:
                raise
            self._end(APIError("The voice ended itself."))
        except Exception as error:
            self._end(error)

    def _note(self, frame: rtc.AudioFrame) -> None:
        for word in frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, ()):
            if isinstance(word.start_time, int | float):
                self.words.append((str(word), round(word.start_time * RATE)))
        self.intake.push(frame)
        self._came = (self._came[1], time.monotonic())
        self._arrived.set()

    def _end(self, error: BaseException | None = None) -> None:
        if not self.ended:
            self.ended = True
            self.error = error
            self._arrived.set()


class _Delivery:
    """What is passed on in one call; `position` is how many seconds of sound it is so far."""

    def __init__(self, answer: Answer, emitter: tts.AudioEmitter) -> None:
        self._answer = answer
        self._emitter = emitter
        self.position = 0.0

    def push(self, sound: Pcm) -> None:
        for frame in _frames(sound):
            self._emitter.push_frame(frame)
        seconds = len(sound) / RATE
        self.position += seconds
        self._answer.passed_on(seconds)

    def tell(self, word: str, start: float) -> None:
        """A word that begins `start` seconds from the beginning."""
        self._emitter.push_timed_transcript(TimedString(word, start_time=start))


class _Clause:
    """One clause, said by one voice or, when that breaks off, by several."""

    def __init__(self, answer: Answer, delivery: _Delivery, text: str) -> None:
        self._answer = answer
        self._voices = answer.voices
        self._delivery = delivery
        self._text = text
        self._heard: list[Pcm] = []
        self._since = delivery.position
        self._told = 0
        """Words of the text that were told with their times."""

    async def say(self) -> None:
        """Raises TextToSpeechError when no voice says it."""
        cause: Cause = "internal"
        until = time.monotonic() + self._answer.ahead + _WITHIN
        for link in self._answer.willing():
            take = self._voices.take(link, self._text)
            try:
                await self._say(take, self._answer.patience(link, until))
            except Exception as error:
                take.give_up()
                cause = self._voices.chain.failed(link, error)
                self._answer.failed.add(id(link))
                self._break_off(take)
            except BaseException:
                link.breaker.given_up()
                await take.close()
                raise
            else:
                self._voices.said(take)
                await take.close()
                self._answer.paused(self._text, _silence(self._heard[-1:]))
                return
        raise TextToSpeechError("No voice could say a clause.", cause=cause)

    async def _say(self, take: Take, patience: float) -> None:
        began = time.monotonic()
        while take.intake.begins is None and not take.ended:
            left = began + patience - time.monotonic()
            if left <= 0 or not await take.more(left):
                raise APITimeoutError("The voice is not heard in time.")
        latest = time.monotonic()
        since = latest + self._answer.ahead
        while not take.ended:
            if take.at is None:
                await self._begin(take)
            again = self._pass_some(take)
            until = min(latest + self._voices.idle, began + self._voices.whole)
            if self._answer.following(take.link):
                until = min(until, since + take.length + _BEHIND)
            left = until - time.monotonic()
            if left <= 0 or take.intake.quiet > _STALLED:
                raise APITimeoutError("The voice does not go on.")
            if await take.more(min(again, left)):
                latest = time.monotonic()
        if take.error is not None:
            raise take.error
        if self._answer.following(take.link) and self._voices.broken_off(take):
            raise APIError("The voice broke off.")
        if take.at is None:
            await self._begin(take)
        self._pass(take, len(take.sound))
        self._tell_rest()

    async def _begin(self, take: Take) -> None:
        """Finds where the voice's sound is to begin, as soon as that can be told."""
        begins = take.intake.begins
        assert begins is not None
        take.at = max(0, begins - _LEAD)
        if not self._heard:
            breath = self._answer.breath((begins - take.at) / RATE)
            if breath:
                self._delivery.push(np.zeros(round(breath * RATE), np.int16))
                self._since = self._delivery.position
            return
        heard = np.concatenate(self._heard)
        take.joins = True
        if len(heard) < _TELLING:
            return
        whole, ended = take.sound[begins:], take.ended
        if not ended and len(whole) < max(take.enough, 1.6 * len(heard)):
            take.at = None
            return
        place = await asyncio.to_thread(resumed_at, heard, whole)
        if not ended and place > len(whole) - _SURE:
            take.at = None
            take.enough = len(whole) + _SURE
            return
        take.at = begins + (len(whole) if ended and len(whole) - place < _OVER else place)
        self._place_words(take, len(heard))

    def _pass_some(self, take: Take) -> float:
        """Passes on what the listener needs now, up to a quiet place, as a voice that breaks off
        then does not break off in a word; seconds after which they may need more."""
        ahead = self._answer.ahead
        if take.at is None or ahead >= _AHEAD:
            return max(0.02, ahead - _AHEAD + _REFILL)
        size = len(take.sound)
        end = min(take.at + round((_AHEAD - ahead) * RATE), size - _HELD_BACK)
        places = _places(take.sound, take.at)
        if places:
            end = next((place for place in places if place >= end), places[-1])
        elif self._heard and (not take.flows or size - take.at < _WORTH):
            return _AHEAD
        elif self._heard and ahead > _EMPTY:
            return max(0.02, ahead - _EMPTY + 0.001)
        if end > take.at:
            self._pass(take, end)
        return max(0.02, self._answer.ahead - _AHEAD + _REFILL)

    def _pass(self, take: Take, end: int) -> None:
        assert take.at is not None
        sound = take.sound[take.at : end]
        if take.joins:
            sound = faded(sound, rising=True)
            take.joins = False
        self._tell(take, end)
        self._delivery.push(sound)
        self._heard.append(sound)
        take.at = end

    def _break_off(self, take: Take) -> None:
        """Ends what was heard of a voice that went away at the last quiet place that is known."""
        if take.at is None or not self._heard:
            return
        places = _places(take.sound, take.at)
        end = take.at
        if places:
            end = places[-1]
        elif self._answer.ahead:
            end = min(len(take.sound), take.at + _HELD_BACK)
        if end > take.at:
            sound = faded(take.sound[take.at : end], rising=False)
            self._tell(take, end)
            self._delivery.push(sound)
            self._heard.append(sound)
        take.at = None

    # when words are said

    def _tell(self, take: Take, end: int) -> None:
        """Tells the words that begin before `end`; a voice that only tells when a clause begins
        tells nothing."""
        assert take.at is not None
        if len(take.words) < 2:
            return
        while take.words and take.words[0][1] < end:
            word, begins = take.words.pop(0)
            late = max(0, begins - take.at) / RATE
            self._delivery.tell(word, self._delivery.position + late)
            self._told += len(word.split())

    def _place_words(self, take: Take, heard: int) -> None:
        """Drops the words that were heard of another voice, having told them if that did not."""
        assert take.at is not None
        if len(take.words) < 2:
            return
        count = 0
        untold = not self._told
        while take.words and (count < self._told or take.words[0][1] < take.at - _LEAD):
            word, begins = take.words.pop(0)
            count += len(word.split())
            if untold:
                share = min(1.0, begins / max(1, take.at))
                self._delivery.tell(word, self._since + share * heard / RATE)
        self._told = max(self._told, count)

    def _tell_rest(self) -> None:
        """Spreads the words of a clause whose last voice told none over what was not told."""
        words = re.findall(r"\s*\S+\s*", self._text)
        rest = words[self._told :]
        if not self._told or not rest:
            return
        begins = self._since + self._told / len(words) * (self._delivery.position - self._since)
        for number, word in enumerate(rest):
            late = number / len(rest) * (self._delivery.position - begins)
            self._delivery.tell(word, begins + late)


def syllables(text: str, language: Language) -> int:
    """How many syllables a text has when it is spoken, roughly."""
    return sum(syllable_count(word, language) for word in text.split())


def _plain(text: str) -> bool:
    """Whether a text is words and marks alone, of which the syllables can be counted."""
    return all(
        len(word) <= _LONGEST and all(letter.isalpha() or letter in _MARKS for letter in word)
        for word in text.split()
    )


def _pieces(text: str) -> list[str]:
    """The text in one piece, or in clauses when it is longer than any."""
    clauses = Clauses()
    whole = [text]
    if len(text) > MOST:
        whole = [clause.text for clause in (*clauses.push(text), *clauses.flush())]
    return [piece.strip() for piece in whole if any(letter.isalnum() for letter in piece)]


def _stream(voice: Voice, text: str) -> tts.ChunkedStream | tts.SynthesizeStream:
    """The voice's own stream of a clause; an adapter's is its voice's."""
    if not voice.capabilities.streaming or isinstance(voice, tts.StreamAdapter):
        return voice.synthesize(text, conn_options=_ONCE)
    stream = voice.stream(conn_options=_ONCE)
    stream.push_text(text)
    stream.end_input()
    return stream


def _look_at_failures(stream: object) -> None:
    """asyncio would complain of a stream whose failure nobody came to look at."""
    for name in ("_synthesize_task", "_task"):
        task = getattr(stream, name, None)
        if isinstance(task, asyncio.Task) and not task.done():
            task.add_done_callback(lambda task: task.cancelled() or task.exception())


def _places(sound: Pcm, first: int) -> list[int]:
    """The quiet places from `first` on."""
    begins = max(0, first - RATE // 2)
    return [begins + at for at in quiet_places(sound[begins:], first - begins)]


def _silence(sound: Sequence[Pcm]) -> float:
    """Seconds of silence at the end of what was heard last."""
    if not sound:
        return 0.0
    audible = np.flatnonzero(np.abs(sound[-1].astype(np.int32)) > _HUSHED)
    return (len(sound[-1]) - 1 - int(audible[-1])) / RATE if len(audible) else 0.0


def _frames(sound: Pcm) -> Iterator[rtc.AudioFrame]:
    for first in range(0, len(sound), _PIECE):
        piece = sound[first : first + _PIECE]
        yield rtc.AudioFrame(piece.tobytes(), RATE, 1, len(piece))
