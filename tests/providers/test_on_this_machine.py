"""Providers that work on this machine, where what they need is not installed."""

import pytest

from eloquence import registry
from eloquence.conversation.stages import Resources
from eloquence.errors import DependencyNotFoundError
from eloquence.registry import Stage
from eloquence.testing.context import stage_context


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("stt", "vosk"),
        ("stt", "pocketsphinx"),
        ("stt", "parakeet"),
        ("tts", "espeak"),
        ("tts", "piper"),
        ("tts", "supertonic"),
    ],
)
def test_without_its_package_the_command_is_named(
    stage: Stage, name: str, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PRV-08"""
    provider = registry.provider(stage, name)
    options = provider.parse({}, {})
    monkeypatch.setattr(f"eloquence.providers.{name}.find_spec", lambda package: None)
    readiness = provider.check(options, "fr")
    assert not readiness.ready
    assert "is not installed" in readiness.detail
    assert readiness.mend == f"pip install 'eloquence[{name}]'"
    with pytest.raises(DependencyNotFoundError) as caught:
        provider.create(options, stage_context(resources=resources))
    assert f"pip install 'eloquence[{name}]'" in caught.value.mend
