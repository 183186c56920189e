"""Settings as older installations give them: one test for each of their lists of variables (CFG-01
to CFG-07), and their JSON file (PRV-01)."""

import json
from pathlib import Path

import pytest

from eloquence import bootstrap
from eloquence.coaching.prompt import instructions
from eloquence.config import load
from eloquence.errors import ConfigurationError
from eloquence.registry import Choice, Stage
from eloquence.storage import content


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def env(text: str) -> None:
    Path(".env").write_text(text)


def serves(stage: Stage) -> Choice:
    return bootstrap.choose(load(), stage, "fr")


def test_the_agent_s_variables() -> None:
    """CFG-01: the address of a service says who serves, and one key may stand for another."""
    env(
        "LIVEKIT_URL=ws://localhost:7880\nLIVEKIT_API_KEY=devkey\nLIVEKIT_API_SECRET=secret\n"
        "SCALEWAY_SECRET_KEY=scw-hush\nMISTRAL_API_KEY=${SCALEWAY_SECRET_KEY}\n"
        "MISTRAL_BASE_URL=http://mistral-conversation:8001\nOPENAI_API_KEY=sk-hush\n"
        "TTS_SERVICE_URL=http://openai-tts:5002\n"
    )
    told = load()
    assert (told.livekit_url, told.livekit_api_key) == ("ws://localhost:7880", "devkey")
    assert told.livekit_api_secret.get_secret_value() == "secret"
    answers, speaks = serves("llm"), serves("tts")
    assert (answers.provider.name, speaks.provider.name) == ("openai", "service")
    assert answers.readiness.ready
    assert answers.readiness.leaves_machine == "mistral-conversation"
    assert answers.options.model_dump()["mistral_api_key"].get_secret_value() == "scw-hush"
    assert speaks.readiness.leaves_machine == "openai-tts"


def test_what_is_said_counts_more_than_what_an_address_implies() -> None:
    env("MISTRAL_BASE_URL=http://mistral-conversation:8001\nTTS_SERVICE_URL=http://x:5002\n")
    Path("eloquence.toml").write_text('llm = "script"\n[tts]\nprovider = "espeak"\n')
    assert (load().llm.provider, load().tts.provider) == ("script", "espeak")


def test_the_template_of_an_env_file() -> None:
    """CFG-02: what is meant for Docker alone is in nobody's way."""
    env(
        "# TEMPLATE CONFIGURATION .env\nSCALEWAY_SECRET_KEY=scw_sk_your_key_here\n"
        "OPENAI_API_KEY=sk-your_openai_key_here\nLIVEKIT_API_KEY=devkey\n"
        "LIVEKIT_API_SECRET=devsecret123456789abcdef0123456789abcdef\n"
        "LIVEKIT_URL=ws://livekit:7880\nMISTRAL_BASE_URL=http://mistral-conversation:8001\n"
        "TTS_SERVICE_URL=http://openai-tts:5002\nVOSK_STT_URL=http://vosk-stt:8000\n"
        "DOCKER_NETWORK=eloquence_network\nCOMPOSE_PROJECT_NAME=eloquence\n"
    )
    assert load().in_rooms
    hears = serves("stt")
    assert hears.provider.name == "vosk"
    assert hears.readiness.leaves_machine == "vosk-stt"
    assert [serves(stage).readiness.ready for stage in ("stt", "llm", "tts")] == [True] * 3


def test_the_shorter_env_file() -> None:
    """CFG-03: keys alone send nothing anywhere until somebody is chosen."""
    env(
        "SCALEWAY_SECRET_KEY=scw_sk_your_scaleway_key_here\nOPENAI_API_KEY=sk-x\n"
        "LIVEKIT_API_KEY=devkey\nLIVEKIT_API_SECRET=devsecret\nDOCKER_NETWORK=eloquence_network\n"
    )
    assert load().livekit_api_key == "devkey"
    assert serves("llm").provider.name == "script"
    chosen = bootstrap.choose(load(llm="openai"), "llm", "fr")
    assert chosen.readiness.ready
    assert chosen.readiness.leaves_machine == "api.scaleway.ai"


def test_the_critical_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """CFG-04."""
    secret = "devsecret123456789abcdef0123456789abcdef"
    monkeypatch.setenv("LIVEKIT_URL", "ws://livekit-server:7880")
    monkeypatch.setenv("LIVEKIT_API_KEY", "devkey")
    monkeypatch.setenv("LIVEKIT_API_SECRET", secret)
    monkeypatch.setenv("REDIS_URL", "redis://redis:6379/0")
    told = load()
    assert told.livekit_url == "ws://livekit-server:7880"
    assert told.livekit_api_secret.get_secret_value() == secret
    assert told.redis_url == "redis://redis:6379/0"
    assert told.in_rooms


def test_the_modular_agent_s_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """CFG-05, LLM-11, PLG-06."""
    given = {
        "LLM_PROVIDER": "openai", "LLM_MODEL": "gpt-4o", "OPENAI_API_KEY": "sk-hush",
        "STT_PROVIDER": "openai", "STT_MODEL": "whisper-large",
        "TTS_PROVIDER": "openai", "TTS_MODEL": "tts-1-hd", "TTS_VOICE_ID": "coral",
        "ENABLED_PLUGINS": "example, sentiment_analysis,profanity_filter",
        "AGENT_INSTRUCTIONS": "Tutoie la personne.", "ENABLE_METRICS": "true",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    told = load()
    assert told.plugins.enabled == ("example", "sentiment_analysis", "profanity_filter")
    assert (told.agent_instructions, told.enable_metrics) == ("Tutoie la personne.", True)
    models = {stage: serves(stage).readiness.model for stage in ("stt", "llm", "tts")}
    assert models == {"stt": "whisper-large", "llm": "gpt-4o", "tts": "tts-1-hd"}
    assert serves("tts").options.model_dump()["voice"] == "coral"


@pytest.mark.parametrize(
    ("variable", "stage", "name"),
    [
        ("WHISPER_STT_URL", "stt", "vosk"),
        ("PIPER_TTS_URL", "tts", "service"),
        ("MISTRAL_BASE_URL", "llm", "openai"),
    ],
)
def test_the_older_agent_s_addresses(
    monkeypatch: pytest.MonkeyPatch, variable: str, stage: Stage, name: str
) -> None:
    """CFG-06."""
    monkeypatch.setenv(variable, "http://elsewhere:8001")
    found = serves(stage)
    assert found.provider.name == name
    assert found.readiness.leaves_machine == "elsewhere"


def test_the_production_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """CFG-07."""
    monkeypatch.setenv("LIVEKIT_API_SECRET", "production-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "production-key")
    monkeypatch.setenv("ENABLE_METRICS", "false")
    monkeypatch.setenv("METRICS_RETENTION_HOURS", "24")
    monkeypatch.setenv("LOG_LEVEL", "warning")
    monkeypatch.setenv("DEBUG", "false")
    told = load()
    assert told.livekit_api_secret.get_secret_value() == "production-secret"
    assert (told.enable_metrics, told.metrics_retention_hours) == (False, 24.0)
    assert told.log_level == "WARNING"
    monkeypatch.setenv("DEBUG", "true")
    assert load().log_level == "DEBUG"
    monkeypatch.setenv("ELOQUENCE_LOG_LEVEL", "ERROR")
    assert load().log_level == "ERROR"


def test_the_operator_s_words_reach_the_model_after_those_of_the_scene() -> None:
    """LLM-11."""
    library = content.load(None)
    exercise = library.exercise("conversation_libre_marie", "fr")
    character = library.character(exercise.character, "fr")
    plain = instructions(character, exercise, exercise.scenario())
    told = instructions(character, exercise, exercise.scenario(), besides="Tutoie la personne.")
    assert told.replace("Tutoie la personne.\n\n", "") == plain
    assert told.index("Tutoie la personne.") > told.index(exercise.scenario().prompts.system[:40])


JSON = {
    "llm": {"provider_name": "openai", "model": "gpt-4o", "extra_params": {"temperature": 0.2}},
    "stt": {"provider": "vosk", "url": "ws://localhost:2700"},
    "tts": {"provider": "openai", "model": "tts-1", "voice_id": "coral"},
    "enabled_plugins": [
        {"plugin_name": "profanity_filter", "enabled": True, "config": {"mild": True}},
        {"plugin_name": "example", "enabled": False},
    ],
    "instructions": "Tutoie la personne.",
    "enable_metrics": False,
    "metrics_retention_hours": 24,
}


def test_a_json_file_configures_stages_and_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """PRV-01: it stands in the place of eloquence.toml, below the environment."""
    Path("agent.json").write_text(json.dumps(JSON))
    Path("eloquence.toml").write_text("port = 9001\n")
    monkeypatch.setenv("ELOQUENCE_CONFIG", "agent.json")
    monkeypatch.setenv("ELOQUENCE_STT", "none")
    told = load()
    assert (told.llm.provider, told.llm.options) == (
        "openai",
        {"model": "gpt-4o", "temperature": 0.2},
    )
    assert told.tts.options == {"model": "tts-1", "voice": "coral"}
    assert told.stt.provider == "none"
    assert told.plugins.enabled == ("profanity_filter",)
    assert told.plugins.options == {"profanity_filter": {"mild": True}}
    assert told.agent_instructions == "Tutoie la personne."
    assert (told.enable_metrics, told.metrics_retention_hours) == (False, 24.0)
    assert told.port == 7881


def test_plugins_may_be_listed_by_name_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("agent.json").write_text('{"plugins": ["example"]}')
    monkeypatch.setenv("ELOQUENCE_CONFIG", "agent.json")
    assert load().plugins.enabled == ("example",)


def test_a_settings_file_that_was_named_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_CONFIG", "absent.json")
    with pytest.raises(ConfigurationError, match=r"no settings file absent\.json"):
        load()
