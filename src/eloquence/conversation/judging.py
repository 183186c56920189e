"""Asks a language model to judge a session, and to say one sentence better.

The model is asked in a context of its own each time, never in the conversation's: the same model
may serve both, but it does not judge its own talk. Whatever it does, a judgement comes back, in
bounded time, with the reason for every criterion that could not be judged.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from livekit.agents import APIConnectOptions, APIStatusError, llm

from eloquence.coaching import judging
from eloquence.coaching.exercise import Exercise
from eloquence.coaching.judgement import CriterionJudgement, Judgement, Rewrite
from eloquence.coaching.judging import PROMPT_VERSION, SAMPLES, Message, Sample, Void
from eloquence.coaching.rubric import Criterion, Rubric
from eloquence.coaching.session import StoredSession
from eloquence.coaching.transcript import Sentence, learner_words, sentences

ANSWER_SECONDS = 30.0
"""Deadline of one answer."""
TOTAL_SECONDS = 180.0
"""Deadline of the whole judgement."""
AT_ONCE = 2
"""How many answers are waited for at the same time."""
TEMPERATURE = 0.2
TOKENS = 600

_NO_SUCH_KEY = (400, 404, 415, 422, 501)

_log = logging.getLogger(__name__)


async def judge(
    stored: StoredSession,
    exercise: Exercise,
    rubric: Rubric,
    model: llm.LLM[Any],
    *,
    provider: str,
    name: str,
    samples: int = SAMPLES,
    made_at: float,
) -> Judgement:
    """Every criterion of the rubric that is not about how it sounds, judged by `model`.

    `provider` and `name` are recorded with the judgement; `made_at` is POSIX time in seconds;
    `samples` is how many answers are asked for each criterion at first (fewer than three let no
    majority be told from chance). Under 40 words of the learner nothing is asked. Never raises for
    what the model does; cancelling it cancels the calls.
    """
    spoken = await asyncio.to_thread(sentences, stored.turns)  # a second for an hour of speech
    criteria = [criterion for criterion in rubric.criteria if not criterion.delivery]
    if learner_words(spoken) < judging.LEAST_WORDS:
        done = [CriterionJudgement(criterion=each.id, reason="too_short") for each in criteria]
    else:
        asking = _Asking(model, exercise, rubric, spoken, _scenario(stored, exercise), samples)
        done = await asking.criteria(criteria)
    return Judgement(
        rubric=rubric.id,
        rubric_version=rubric.version,
        prompt_version=PROMPT_VERSION,
        provider=provider,
        model=name,
        made_at=made_at,
        criteria=tuple(done),
        spread=judging.spread(done, rubric),
    )


async def rewrite(
    stored: StoredSession, exercise: Exercise, model: llm.LLM[Any], turn: int
) -> Rewrite | None:
    """A better version of one sentence of the learner's turn `turn`, with their facts; None when
    there is no fit sentence, or the model gave nothing that may be shown."""
    spoken = await asyncio.to_thread(sentences, stored.turns)
    sentence = judging.rewritable(spoken, turn)
    if sentence is None:
        return None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            text = await _answer(model, judging.rewrite_prompt(sentence, exercise))
    except Exception as error:
        _log.warning("no better version", extra={"error": type(error).__name__})
        return None
    after = judging.rewritten(text, sentence, exercise.language)
    if after is None:
        return None
    known = [times for times in sentence.times if times]
    return Rewrite(
        before=" ".join(sentence.words),
        after=after,
        turn=turn,
        start=known[0][0] if known else None,
        end=known[-1][1] if known else None,
    )


class _Asking:
    """One judgement under way."""

    def __init__(
        self,
        model: llm.LLM[Any],
        exercise: Exercise,
        rubric: Rubric,
        spoken: Sequence[Sentence],
        scenario: str,
        samples: int,
    ) -> None:
        self._model = model
        self._exercise = exercise
        self._rubric = rubric
        self._spoken = spoken
        self._scenario = scenario
        self._samples = samples
        self._places = asyncio.Semaphore(AT_ONCE)
        self._form: dict[str, Any] | None = {
            "type": "json_schema",
            "json_schema": {"name": "judgement", "schema": judging.answer_schema(rubric)},
        }
        """What the host is asked to hold the model to; None once it refused."""

    async def criteria(self, criteria: Sequence[Criterion]) -> list[CriterionJudgement]:
        given: dict[str, list[Sample | Void]] = {each.id: [] for each in criteria}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TOTAL_SECONDS), asyncio.TaskGroup() as tasks:
                for criterion in criteria:
                    tasks.create_task(self._criterion(criterion, given[criterion.id]))
        return [judging.aggregated(each.id, given[each.id], self._samples) for each in criteria]

    async def _criterion(self, criterion: Criterion, given: list[Sample | Void]) -> None:
        messages = judging.prompt(
            criterion, self._rubric, self._exercise, self._spoken, self._scenario
        )
        while judging.more_needed(given, self._samples):
            given.append(await self._sample(messages))

    async def _sample(self, messages: Sequence[Message]) -> Sample | Void:
        async with self._places:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    text = await self._answer(messages)
            except Exception as error:  # a plugin may raise anything; the session must not fail
                _log.warning("no answer from the judge", extra={"error": type(error).__name__})
                return Void("failed")
        if not text.strip():
            return Void("failed")
        return judging.parsed(text, self._rubric, self._spoken)

    async def _answer(self, messages: Sequence[Message]) -> str:
        """An answer; a host that knows no forms is asked again without, and so from then on."""
        form = self._form
        try:
            return await _answer(self._model, messages, form)
        except APIStatusError as error:
            if form is None or error.status_code not in _NO_SUCH_KEY:
                raise
        self._form = None
        return await _answer(self._model, messages)


async def _answer(
    model: llm.LLM[Any], messages: Sequence[Message], form: dict[str, Any] | None = None
) -> str:
    """What the model writes, up to the length that is read."""
    context = llm.ChatContext.empty()
    for role, text in messages:
        context.add_message(role=role, content=text)
    text = ""
    asked: dict[str, Any] = {"temperature": TEMPERATURE, "max_tokens": TOKENS}
    if form is not None:
        asked["response_format"] = form
    options = APIConnectOptions(max_retry=0, timeout=ANSWER_SECONDS)
    async with model.chat(chat_ctx=context, conn_options=options, extra_kwargs=asked) as stream:
        async for chunk in stream:
            if chunk.delta is not None and chunk.delta.content:
                text += chunk.delta.content
            if len(text) >= judging.ANSWER_LIMIT:
                break
    return text


def _scenario(stored: StoredSession, exercise: Exercise) -> str:
    known = {scenario.id for scenario in exercise.scenarios}
    name = stored.session.scenario
    return name if name in known else exercise.scenarios[0].id
