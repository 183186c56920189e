"""Who takes over from a stage that fails (RES-01, PRV-08): as the operator wrote it, then what
stays on this machine."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Never

import pytest

from eloquence import protocol, registry
from eloquence.bootstrap import chains, opened
from eloquence.bootstrap.stages import choices, choose, serving, standbys, status
from eloquence.config import Settings, load
from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.stages import Resources, StageContext
from eloquence.errors import ConfigurationError, DependencyNotFoundError
from eloquence.ops.chaos import Services, Word
from eloquence.providers import mistral
from eloquence.registry import Choice, Stage
from eloquence.testing.context import stage_context
from eloquence.testing.learner import Learner
from eloquence.transports import memory

OPENAI = {"provider": "openai", "api_key": "k"}
VOSK = {"provider": "vosk", "url": "ws://localhost:1"}
HEARD = (Word("bonjour", 0.1, 0.5), Word("marie", 0.5, 0.9))


def waiting(settings: Settings, stage: Stage) -> list[tuple[str, bool]]:
    chosen = choices(settings, "fr")[stage]
    return [(one.choice.provider.name, one.last) for one in standbys(settings, stage, chosen, "fr")]


def test_those_of_the_settings_come_first_then_what_stays_on_this_machine() -> None:
    settings = load(
        stt=OPENAI | {"fallback": [VOSK]},
        llm=OPENAI | {"fallback": [{"provider": "mistral", "api_key": "k"}]},
        tts=OPENAI,
    )
    assert waiting(settings, "stt") == [("vosk", False), ("none", True)]
    assert waiting(settings, "llm") == [("mistral", False), ("script", True)]
    assert waiting(settings, "tts") == [("espeak", True)]


def test_nobody_is_asked_outside_this_machine_who_was_not_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OPENAI_API_KEY", "MISTRAL_API_KEY", "ANTHROPIC_API_KEY", "ELEVEN_API_KEY"):
        monkeypatch.setenv(name, "canary")
    settings = load(stt="openai", llm="openai", tts="openai")
    stages: Sequence[Stage] = ("stt", "llm", "tts")
    for stage in stages:
        chosen = choices(settings, "fr")[stage]
        others = standbys(settings, stage, chosen, "fr")
        assert not any(one.choice.readiness.leaves_machine for one in others)


def test_who_never_fails_needs_nobody() -> None:
    assert waiting(load(), "stt") == []
    assert waiting(load(), "llm") == []


def test_a_fallback_without_its_key_is_left_out_and_the_others_stay() -> None:
    settings = load(llm=OPENAI | {"fallback": ["anthropic"]}, stt=VOSK)
    assert waiting(settings, "llm") == [("script", True)]


def test_a_fallback_of_a_fallback_is_refused_with_its_mend() -> None:
    nested = {"provider": "mistral", "fallback": ["script"]}
    with pytest.raises(ConfigurationError, match="one list"):
        load(llm={"provider": "openai", "fallback": [nested]})


def test_a_variable_names_them_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_LLM", "openai, mistral,script")
    llm = load().llm
    assert [llm.provider, *(one.provider for one in llm.fallback)] == [
        "openai",
        "mistral",
        "script",
    ]


def test_the_page_shows_all_of_them_and_what_they_are_sent() -> None:
    settings = load(tts={"provider": "espeak", "fallback": [OPENAI]})
    chosen = choices(settings, "fr")["tts"]
    shown = status(chosen, standbys(settings, "tts", chosen, "fr"))
    assert [(one.provider, one.leaves_machine) for one in shown.standby] == [
        ("openai", "api.openai.com")
    ]


READY = {"provider": "mistral", "api_key": "k"}


def test_who_is_chosen_and_not_ready_is_replaced_by_the_first_fallback_named_that_is() -> None:
    """PRV-08: a learner does not pay for a key that ran out; the page says which."""
    settings = load(llm={"provider": "anthropic", "fallback": ["cohere", READY, OPENAI]}, stt=VOSK)
    chosen = serving(settings, "exercise", "fr")["llm"]
    waits = standbys(settings, "llm", chosen, "fr")
    assert chosen.provider.name == "mistral"
    assert [(one.choice.provider.name, one.last) for one in waits] == [
        ("openai", False),
        ("script", True),
    ]
    told = status(chosen, waits).passed_over
    assert told.startswith("anthropic: ")
    assert "Set ANTHROPIC_API_KEY" in told
    assert choose(settings, "llm", "fr").provider.name == "anthropic"


def test_a_chosen_provider_whose_package_is_missing_is_replaced_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finding = registry.provider

    def found(stage: Stage, name: str) -> registry.Provider:
        if name == "anthropic":
            raise DependencyNotFoundError("It needs a package.", mend="pip install it")
        return finding(stage, name)

    monkeypatch.setattr(registry, "provider", found)
    settings = load(llm={"provider": "anthropic", "fallback": [READY]}, stt=VOSK)
    chosen = serving(settings, "exercise", "fr")["llm"]
    assert chosen.provider.name == "mistral"
    assert chosen.passed_over == "It needs a package. pip install it"
    with pytest.raises(DependencyNotFoundError):
        serving(load(llm="anthropic", stt=VOSK), "exercise", "fr")


@pytest.mark.parametrize("fallback", [[], ["cohere"]])
def test_who_is_not_ready_is_refused_with_the_mend_where_nobody_named_is(
    fallback: list[str],
) -> None:
    """What nobody named does not stand in unnoticed, though the script could."""
    settings = load(llm={"provider": "anthropic", "fallback": fallback}, stt=VOSK)
    with pytest.raises(DependencyNotFoundError) as refused:
        serving(settings, "exercise", "fr")
    assert "ANTHROPIC_API_KEY" in refused.value.mend


@pytest.mark.parametrize("wrong", [{"provider": "nobody"}, OPENAI | {"wrong": 1}])
def test_a_setting_that_is_wrong_is_refused_whoever_stands_by(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        serving(load(llm=wrong | {"fallback": [READY]}, stt=VOSK), "exercise", "fr")


def test_who_is_ready_is_never_passed_over() -> None:
    chosen = serving(load(llm=OPENAI | {"fallback": [READY]}, stt=VOSK), "exercise", "fr")
    assert [(one.provider.name, one.passed_over) for one in chosen.values()] == [
        ("vosk", ""),
        ("openai", ""),
        (chosen["tts"].provider.name, ""),
    ]


async def breakers(context: StageContext, *hosts: str, key: str = "k") -> list[Breaker]:
    """Those of the same model at several hosts, in a new conversation."""
    first, *others = [{"provider": "openai", "base_url": host, "api_key": key} for host in hosts]
    settings = load(llm=first | {"fallback": others})
    chosen: dict[Stage, Choice] = {"llm": choose(settings, "llm", "fr")}
    made = await chains.made(settings, chosen, context)
    await made.stages["llm"].aclose()
    return [link.breaker for link in made.chains[0].links if not link.last]


async def test_all_conversations_leave_a_host_alone_that_fails_and_only_that_one() -> None:
    """RES-02: also when another one serves the same model; a key that was mended is tried."""
    resources = Resources()
    context = stage_context(resources=resources)
    first, second = "http://127.0.0.1:8001/v1", "http://127.0.0.1:8002/v1"
    one, other = await breakers(context, first, second)
    one.failed("authentication")
    assert other.state == "closed"
    assert [each.state for each in await breakers(context, first, second)] == ["open", "closed"]
    assert [each.state for each in await breakers(context, first, key="mended")] == ["closed"]
    assert not any("mended" in key for key in resources._made)
    await resources.close()


def test_a_fallback_whose_package_has_a_fault_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> Never:
        raise RuntimeError("a fault of a package")

    named = {"provider": "mistral", "api_key": "k"}
    settings = load(llm=OPENAI | {"fallback": [named]}, stt=VOSK)
    assert waiting(settings, "llm") == [("mistral", False), ("script", True)]
    monkeypatch.setattr(mistral, "llm", replace(mistral.llm, check=fault))
    assert waiting(settings, "llm") == [("script", True)]


@pytest.mark.timeout(60)
async def test_a_model_and_a_voice_that_fail_are_taken_over_from_and_the_page_is_told(
    tmp_path: Path,
) -> None:
    async with Services(mode="500", transcript=HEARD, modes={"stt": "ok"}) as services:
        host = {"provider": "openai", "base_url": f"{services.url}/v1", "api_key": "k"}
        settings = load(
            data=tmp_path,
            stt={"provider": "vosk", "url": services.websocket_url},
            llm=host,
            tts=host,
        )
        async with opened(settings) as product:
            learner = Learner(protocol.Hello(exercise="conversation_libre_marie"))
            server, client = memory.pair()
            held = asyncio.create_task(product.serve(server))

            async def script(learner: Learner) -> None:
                await learner.quiet()
                await learner.client.send(protocol.Say(text="Bonjour Marie."))
                await learner.quiet()

            ended = await learner.talk(client, script)
            await held
    assert ended.status != "failed"
    assert any(learner.sound)
    ready = learner.said("ready")[0]
    assert isinstance(ready, protocol.Ready)
    assert [one.provider for one in ready.stages["llm"].standby] == ["script"]
    changed = {(one.stage, one.provider, one.cause) for one in learner.said("stage")}  # type: ignore[union-attr]
    assert changed == {("tts", "espeak", "internal"), ("llm", "script", "internal")}
