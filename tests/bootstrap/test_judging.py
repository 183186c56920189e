"""The content of a session, judged in the background by a model that the learner chose."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.takes import keep, question, session

from eloquence.bootstrap import Eloquence, opened
from eloquence.coaching.judgement import CriterionJudgement, Judgement, Rewrite
from eloquence.coaching.session import Turn
from eloquence.config import load
from eloquence.delivery.words import Word
from eloquence.errors import JudgementError, SessionNotFoundError
from eloquence.storage.content import SHIPPED
from eloquence.testing.services import Services

TOLD = (
    "L’an dernier notre équipe perdait deux jours par semaine à recopier des commandes. "
    "On m’a demandé de trouver une solution avant la fin du mois de mars. "
    "J’ai observé chaque personne pendant une matinée, puis j’ai écrit un petit programme "
    "qui lisait les courriels des clients. Nous avons gagné huit heures par semaine, et les "
    "erreurs de saisie ont presque disparu. Depuis, deux autres services l’utilisent aussi."
)
QUOTE = "J’ai observé chaque personne pendant une matinée"
ANSWER = json.dumps(
    {
        "spans": [{"s": 2, "quote": QUOTE}],
        "level": 3,
        "missing": [],
        "why": "La réponse va d’un problème à un résultat.",
    },
    ensure_ascii=False,
)
LIBRE = "conversation_libre_marie"
BY_MODEL: dict[str, Any] = {"stages": {"stt": "vosk", "llm": "openai", "tts": "espeak"}}
OUTSIDE = {
    "provider": "openai",
    "base_url": "https://models.example.org/v1",
    "api_key": "sk-canary",
}

Open = Callable[..., Awaitable[Eloquence]]


def told(text: str = TOLD) -> Turn:
    words = tuple(
        Word(word, 3 + 0.4 * place, 3.3 + 0.4 * place) for place, word in enumerate(text.split())
    )
    return Turn(index=1, speaker="learner", start=3, end=words[-1].end, text=text, words=words)


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    async with Services(reply=ANSWER) as running:
        yield running


@pytest.fixture
async def open_with(tmp_path: Path, services: Services) -> AsyncIterator[Open]:
    """Opens the product with a language model; by default one that runs on this machine."""
    content = tmp_path / "content" / "fr" / "exercises"
    content.mkdir(parents=True)
    shipped = (SHIPPED / "fr" / "exercises" / f"{LIBRE}.yaml").read_text(encoding="utf-8")
    bare = re.sub(r"^rubric:.*\n", "", shipped, flags=re.MULTILINE)
    (content / f"{LIBRE}.yaml").write_text(f"rubric: conversation\n{bare}", encoding="utf-8")
    unjudged = bare.replace(f"id: {LIBRE}", "id: no_rubric", 1)
    (content / "no_rubric.yaml").write_text(unjudged, encoding="utf-8")
    async with AsyncExitStack() as stack:

        async def product(llm: object = None, **more: object) -> Eloquence:
            chosen = llm or {"provider": "openai", "base_url": services.url}
            folders = {"data": tmp_path / "data", "content": content.parent.parent}
            settings = load(**folders, llm=chosen, **more)
            return await stack.enter_async_context(opened(settings))

        yield product


async def test_the_content_is_judged_once_after_the_end(
    open_with: Open, services: Services
) -> None:
    eloquence = await open_with()
    await keep(eloquence.store, session("s1", **BY_MODEL), question(0), told())
    eloquence.reports.ended("s1")
    eloquence.reports.ended("s1")
    pending = await eloquence.reports.report("s1")
    assert pending.content.state == "pending"
    assert pending.content.reason
    await eloquence.reports.judge("s1")
    await eloquence.reports.judged("s1")
    report = await eloquence.reports.report("s1")
    assert report.content.state == "judged"
    assert report.content.provider == "openai"
    assert report.content.model == "mistral-nemo-instruct-2407"
    judged = [one for score in report.dimensions for one in score.criteria if one.level is not None]
    assert judged
    quotes = {quote.text.strip(",.") for one in judged for quote in one.quotes}
    assert quotes <= {QUOTE}
    rubric = eloquence.library.rubric("conversation", "fr")
    criteria = [one for one in rubric.criteria if not one.delivery]
    judging = [one for one in services.asked if b"matin" in one.body]
    assert len(judging) <= 3 * len(criteria) + 1, "three answers for each, and one sentence"
    assert (await eloquence.store.get("s1")).judgement is not None


ROOMS = {
    "livekit_url": "ws://127.0.0.1:1",
    "livekit_api_key": "key",
    "livekit_api_secret": "0123456789abcdef0123456789abcdef",
}


async def test_of_several_servers_one_judges_what_a_worker_held(
    open_with: Open, services: Services
) -> None:
    first, second = await open_with(None, **ROOMS), await open_with(None, **ROOMS)
    await keep(first.store, session("s1", **BY_MODEL), question(0), told())
    states = [(await one.reports.report("s1")).content.state for one in (first, second) * 3]
    assert states[0] == "pending"
    assert set(states) <= {"pending", "judged"}
    await first.reports.judged("s1")
    await second.reports.judged("s1")
    assert (await second.reports.report("s1")).content.state == "judged"
    criteria = first.library.rubric("conversation", "fr").criteria
    judging = [one for one in services.asked if b"matin" in one.body]
    assert len(judging) <= 3 * len([one for one in criteria if not one.delivery]) + 1


async def test_what_another_server_has_judged_meanwhile_is_not_judged_again(
    open_with: Open, services: Services
) -> None:
    first, second = await open_with(None, **ROOMS), await open_with(None, **ROOMS)
    await keep(first.store, session("s1", **BY_MODEL), question(0), told())
    seen = await second.store.get("s1")
    await first.reports.report("s1")
    await first.reports.judged("s1")
    asked = len(services.asked)
    second.reports._judging.begin(seen, None)
    await second.reports.judged("s1")
    assert len(services.asked) == asked


async def test_what_a_server_that_died_was_judging_is_judged_by_another(open_with: Open) -> None:
    eloquence = await open_with(None, **ROOMS)
    await keep(eloquence.store, session("s1", **BY_MODEL), question(0), told())
    assert await eloquence.store.begin_judging("s1", 0.0)  # its time is over already
    assert (await eloquence.reports.report("s1")).content.state == "pending"
    await eloquence.reports.judged("s1")
    assert (await eloquence.reports.report("s1")).content.state == "judged"


async def test_it_can_be_judged_again(open_with: Open, services: Services) -> None:
    eloquence = await open_with()
    await keep(eloquence.store, session("s1", **BY_MODEL), question(0), told())
    for _ in range(2):
        await eloquence.reports.judge("s1")
        assert (await eloquence.reports.report("s1")).content.state == "pending"
        await eloquence.reports.judged("s1")
    first = (await eloquence.store.get("s1")).judgement
    await eloquence.reports.judge("s1")
    await eloquence.reports.judged("s1")
    again = (await eloquence.store.get("s1")).judgement
    assert first is not None
    assert again is not None
    assert again.made_at > first.made_at


async def test_a_model_that_fails_is_told_and_may_be_asked_again(
    open_with: Open, services: Services
) -> None:
    services.mode = "500"
    eloquence = await open_with()
    await keep(eloquence.store, session("s1", **BY_MODEL), question(0), told())
    eloquence.reports.ended("s1")
    await eloquence.reports.judged("s1")
    report = await eloquence.reports.report("s1")
    assert report.content.state == "not_judged"
    assert report.content.reason == eloquence.library.phrases("fr").reasons["failed"]
    assert (await eloquence.store.get("s1")).judgement is None
    services.mode = "ok"
    await eloquence.reports.judge("s1")
    await eloquence.reports.judged("s1")
    assert (await eloquence.reports.report("s1")).content.state == "judged"


REFUSED: dict[str, tuple[object, dict[str, Any]]] = {
    "no_model": ("script", {}),
    "not_ready": ({**OUTSIDE, "api_key": ""}, BY_MODEL),
    "no_rubric": (None, {"exercise": "no_rubric"}),
    "not_sent: it was held offline": (OUTSIDE, {}),
    "not_sent: another host held it": (
        OUTSIDE,
        {**BY_MODEL, "hosts": {"llm": "other.example.org"}},
    ),
    "not_sent: it stayed on this machine": (OUTSIDE, BY_MODEL),
    "not_sent: only the voice went there": (
        OUTSIDE,
        {**BY_MODEL, "hosts": {"tts": "models.example.org"}},
    ),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_nothing_is_sent_where_the_learner_chose_no_model_for_it(
    open_with: Open, services: Services, why: str
) -> None:
    llm, changes = REFUSED[why]
    eloquence = await open_with(llm)
    await keep(eloquence.store, session("s1", **changes), question(0), told())
    eloquence.reports.ended("s1")
    await eloquence.reports.judged("s1")
    with pytest.raises(JudgementError):
        await eloquence.reports.judge("s1")
    report = await eloquence.reports.report("s1")
    assert report.content.state == "not_judged"
    reasons = eloquence.library.phrases("fr").reasons
    assert report.content.reason == reasons[why.partition(":")[0]]
    assert services.asked == []


async def test_a_model_elsewhere_judges_what_it_held_itself(open_with: Open) -> None:
    eloquence = await open_with(OUTSIDE)
    changes: dict[str, Any] = {**BY_MODEL, "hosts": {"llm": "models.example.org"}}
    await keep(eloquence.store, session("s1", **changes), question(0), told())
    stored = await eloquence.store.get("s1")
    assert await asyncio.to_thread(eloquence.reports.refusal, stored) == ""


async def test_what_is_live_or_practice_or_by_ear_is_not_judged(
    open_with: Open, services: Services
) -> None:
    eloquence = await open_with()
    store = eloquence.store
    await keep(store, session("live", **BY_MODEL), question(0), told(), ended=False)
    await keep(store, session("drill", purpose="drill", of="x"), question(0), told())
    mute = told().model_copy(update={"text": "", "words": None})
    await keep(store, session("ear", **BY_MODEL), question(0), mute)
    easy = told().model_copy(update={"phase": "warm_up"})
    await keep(store, session("warm_up", **BY_MODEL), question(0), easy)
    for name in ("live", "drill", "ear", "warm_up"):
        eloquence.reports.ended(name)
        await eloquence.reports.judged(name)
        with pytest.raises(JudgementError):
            await eloquence.reports.judge(name)
        assert (await eloquence.reports.report(name)).content.state == "not_judged"
    assert services.asked == []


async def test_of_a_few_words_it_is_said_that_they_were_not_judged(
    open_with: Open, services: Services
) -> None:
    eloquence = await open_with()
    brief = told("J’aime beaucoup la cuisine de ma région.")
    await keep(eloquence.store, session("s1", **BY_MODEL), question(0), brief)
    await eloquence.reports.judge("s1")
    await eloquence.reports.judged("s1")
    content = (await eloquence.reports.report("s1")).content
    assert content.state == "not_judged"
    assert content.reason == eloquence.library.phrases("fr").reasons["too_little"]
    assert services.asked == []


async def test_deleting_a_session_stops_its_judge(open_with: Open, services: Services) -> None:
    services.mode = "hang"
    eloquence = await open_with()
    await keep(eloquence.store, session("s1", **BY_MODEL), question(0), told())
    await eloquence.reports.judge("s1")
    while not services.asked:  # noqa: ASYNC110 - the server tells nobody that it was asked
        await asyncio.sleep(0)
    await eloquence.reports.delete("s1")
    with pytest.raises(SessionNotFoundError):
        await eloquence.reports.report("s1")
    await eloquence.reports.judged("s1")


async def test_closing_the_product_stops_its_judges(open_with: Open, services: Services) -> None:
    services.mode = "hang"
    eloquence = await open_with()
    await keep(eloquence.store, session("s1", **BY_MODEL), question(0), told())
    eloquence.reports.ended("s1")
    await eloquence.reports.close()
    assert (await eloquence.reports.report("s1")).content.state == "not_judged"


async def test_a_sentence_that_was_said_better_is_in_the_report(open_with: Open) -> None:
    eloquence = await open_with()
    await keep(eloquence.store, session("s1", **BY_MODEL), question(0), told())
    better = Rewrite(before="On m’a demandé.", after="J’ai proposé.", turn=1)
    judgement = Judgement(
        rubric="conversation",
        rubric_version=1,
        prompt_version=1,
        provider="openai",
        model="m",
        made_at=0.0,
        criteria=(CriterionJudgement(criterion="thread", reason="no_majority"),),
        rewrite=better,
    )
    await eloquence.store.judge("s1", judgement)
    assert (await eloquence.reports.report("s1")).feedback.rewrite == better
