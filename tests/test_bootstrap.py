"""Which provider serves a stage, and what is said of it (PRV-08, X-07, X-40)."""

import pytest

from eloquence.bootstrap import choices
from eloquence.config import load
from eloquence.errors import ConfigurationError, ProviderNotFoundError


def test_with_nothing_installed_the_conversation_is_by_ear_and_stays_on_this_machine() -> None:
    chosen = choices(load(), "fr")
    assert {stage: choice.provider.name for stage, choice in chosen.items()} == {
        "stt": "none",
        "llm": "script",
        "tts": "espeak",
    }
    assert all(choice.automatic and choice.readiness.ready for choice in chosen.values())
    assert not any(choice.readiness.leaves_machine for choice in chosen.values())


def test_a_key_alone_chooses_nothing_that_leaves_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("SCALEWAY_SECRET_KEY", "scw-canary")
    chosen = choices(load(), "fr")
    assert {choice.provider.name for choice in chosen.values()} == {"none", "script", "espeak"}


def test_by_ear_the_offline_coach_conducts_and_says_why_the_chosen_model_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCALEWAY_SECRET_KEY", "scw-canary")
    llm = choices(load(llm="openai"), "fr")["llm"]
    assert llm.provider.name == "script"
    assert "openai would have nothing to read" in llm.readiness.detail
    assert "scw-canary" not in repr(llm)


def test_a_named_provider_that_is_not_ready_is_never_replaced() -> None:
    tts = choices(load(tts="piper"), "fr")["tts"]
    assert tts.provider.name == "piper"
    assert not tts.readiness.ready
    assert "models download" in tts.readiness.mend


def test_an_unknown_provider_or_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProviderNotFoundError, match="espeak"):
        choices(load(tts="nobody"), "fr")
    with pytest.raises(ConfigurationError, match="rate"):
        choices(load(tts={"provider": "espeak", "speed": 3}), "fr")
