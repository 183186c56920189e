"""Settings come from the flag, the environment, `.env`, `eloquence.toml`, and then the default."""

from pathlib import Path

import pytest

from eloquence import bootstrap
from eloquence.bootstrap.stages import standbys
from eloquence.config import load, surroundings
from eloquence.errors import ConfigurationError
from eloquence.registry import Stage


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("ELOQUENCE_PORT", "ELOQUENCE_STT", "ELOQUENCE_LLM", "SCALEWAY_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_nearer_source_of_a_setting_counts(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load().port == 7881
    (empty_folder / "eloquence.toml").write_text("port = 1001\n")
    assert load().port == 1001
    (empty_folder / ".env").write_text("ELOQUENCE_PORT=1002\n")
    assert load().port == 1002
    monkeypatch.setenv("ELOQUENCE_PORT", "1003")
    assert load().port == 1003
    assert load(port=1004).port == 1004


def test_a_stage_is_a_name_or_a_name_with_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_STT", '{"provider": "vosk", "url": "ws://localhost:2700"}')
    monkeypatch.setenv("ELOQUENCE_LLM", "openai")
    settings = load()
    assert settings.stt.provider == "vosk"
    assert settings.stt.options == {"url": "ws://localhost:2700"}
    assert (settings.llm.provider, settings.llm.options) == ("openai", {})


def test_plugins_are_names_or_a_table_with_options(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CFG-05: the older variable names who takes part; the options of the file stay."""
    assert load().plugins.enabled == ()
    (empty_folder / "eloquence.toml").write_text(
        '[plugins]\nenabled = ["a"]\nseconds = 0.5\n[plugins.b]\nwords = ["x"]\n', encoding="utf-8"
    )
    assert load().plugins.enabled == ("a",)
    monkeypatch.setenv("ENABLED_PLUGINS", " b, a,b ,")
    plugins = load().plugins
    assert (plugins.enabled, plugins.seconds) == (("b", "a"), 0.5)
    assert plugins.options == {"b": {"words": ["x"]}}
    monkeypatch.setenv("ELOQUENCE_PLUGINS", '{"enabled": ["c"], "c": {"n": 1}}')
    assert load().plugins.enabled == ("c",)
    monkeypatch.setenv("ELOQUENCE_PLUGINS", "d,e")
    assert load().plugins.enabled == ("d", "e")
    monkeypatch.setenv("ELOQUENCE_PLUGINS", '{"seconds": 60}')
    with pytest.raises(ConfigurationError, match="seconds"):
        load()


def test_allowed_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_ALLOWED_HOSTS", "coach.example, voix.example")
    assert load().allowed_hosts == ("coach.example", "voix.example")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("eloquence.toml", "[stt"),
        ("eloquence.toml", "prot = 7881\n"),
        (".env", "ELOQUENCE_PROT=7881\n"),
        (".env", "ELOQUENCE_STT={bad\n"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_mend(empty_folder: Path, file: str, text: str) -> None:
    (empty_folder / file).write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load()
    assert "eloquence.toml" in refused.value.mend


def test_a_key_in_the_env_file_reaches_its_provider(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CFG-02, CFG-03."""
    (empty_folder / ".env").write_text("SCALEWAY_SECRET_KEY=from-file\nELOQUENCE_LLM=openai\n")
    settings = load()
    choice = bootstrap.choose(settings, "llm", "fr")
    assert choice.readiness.ready
    assert choice.readiness.leaves_machine == "api.scaleway.ai"
    assert surroundings()["SCALEWAY_SECRET_KEY"] == "from-file"
    monkeypatch.setenv("SCALEWAY_SECRET_KEY", "from-environment")
    assert surroundings()["SCALEWAY_SECRET_KEY"] == "from-environment"


def test_a_secret_never_prints(empty_folder: Path) -> None:
    (empty_folder / ".env").write_text("SCALEWAY_SECRET_KEY=hush-hush\nELOQUENCE_LLM=openai\n")
    assert "hush-hush" not in repr(bootstrap.choose(load(), "llm", "fr"))


@pytest.mark.parametrize(("variable", "stage"), [("STT", "stt"), ("LLM", "llm"), ("TTS", "tts")])
def test_the_older_variables_choose_a_stage_unless_ours_do(
    monkeypatch: pytest.MonkeyPatch, variable: str, stage: Stage
) -> None:
    """CFG-05, X-07."""
    monkeypatch.setenv(f"{variable}_PROVIDER", "Mistral")
    assert load().stage(stage).provider == "mistral"
    monkeypatch.setenv(f"ELOQUENCE_{variable}", "other")
    assert load().stage(stage).provider == "other"


def test_the_model_of_a_variable_is_asked_of_the_chosen_provider_and_of_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CFG-05, LLM-10: whoever takes over is another vendor, with other models."""
    for name, value in {
        "LLM_PROVIDER": "anthropic",
        "LLM_MODEL": "claude-of-ones-own",
        "ANTHROPIC_API_KEY": "a",
        "MISTRAL_API_KEY": "m",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load(llm={"provider": "anthropic", "fallback": ["mistral"]})
    chosen = bootstrap.choose(settings, "llm", "fr")
    assert chosen.readiness.model == "claude-of-ones-own"
    mistral, script = standbys(settings, "llm", chosen, "fr")
    assert (mistral.choice.provider.name, mistral.choice.readiness.model) == (
        "mistral",
        "mistral-small-latest",
    )
    assert script.last


@pytest.mark.parametrize(
    ("host", "asked"),
    [("127.0.0.1", False), ("::1", False), ("localhost", False), ("0.0.0.0", True)],
)
def test_people_sign_in_where_other_machines_can_reach_the_page(host: str, asked: bool) -> None:
    assert load(host=host).accounts is asked
    assert load(host=host, sign_in=False).accounts is False
