"""Files of settings that are cut off, mangled or none: told with file, line and mend, and a server
goes on with the last good ones (C01)."""

import os
import random
import re
from pathlib import Path

import pytest

from eloquence.bootstrap.current import Current
from eloquence.config import load
from eloquence.errors import ConfigurationError

MUTATIONS = int(os.environ.get("MUTATIONS", "1200"))
"""10,000 of them take a minute."""

FILES = {
    "eloquence.toml": b"""\
# ours
port = 9001
allowed_hosts = ["coach.example"]

[llm]
provider = "openai"  # Scaleway
model = "mistral-nemo"
temperature = 0.4
fallback = ["mistral", {provider = "openai", base_url = "http://localhost:11434/v1"}]

[plugins]
enabled = ["example"]
[plugins.example]
level = 2
""",
    ".env": b"""\
SCALEWAY_SECRET_KEY=hush
ELOQUENCE_STT={"provider": "vosk", "url": "ws://localhost:2700"}
export LOG_LEVEL=info
OPENAI_API_KEY="${SCALEWAY_SECRET_KEY}"
""",
    "agent.json": b"""\
{"llm": {"provider_name": "openai", "model": "gpt-4o", "extra_params": {"temperature": 0.2}},
 "enabled_plugins": [{"plugin_name": "example", "enabled": true, "config": {"a": 1}}],
 "instructions": "Souris.", "port": 9001}
""",
}
PIECES = (
    b"[", b"]", b"[[", b"{", b"}", b'"', b"'''", b"=", b"\n", b"\r", b"\x00", b"\xff", b",", b"-",
    b"\xef\xbb\xbf", b"1e999", b"nan", b"inf", b"0x", b"true", b"${X}", b"\\u0000", b"9" * 5000,
    b"[" * 3000, b'{"a":' * 3000, b"a.b.c=1\n", b"1979-05-27T07:32:00Z", b"provider=[]\n",
    b"fallback={}\n", b"options=3\n", b"plugins=3\n", b"[llm]\n", b'"plugin_name": {},',
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content, cut, spliced, doubled or with something foreign in it."""
    at = chance.randrange(len(content) + 1)
    end = min(len(content), at + chance.randrange(1, 20))
    other = chance.randrange(len(content) + 1)
    return chance.choice(
        (
            content[:at],
            content[:at] + chance.choice(PIECES) + content[at:],
            content[:at] + content[end:],
            content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :],
            content[:at] + content[at:end] * chance.randrange(2, 5) + content[end:],
            content[:at] + content[other : other + 30] + content[at:],
        )
    )


def refusal(name: str, content: bytes) -> ConfigurationError | None:
    """What is said of a file with that content, which any error but ours would make fail."""
    Path(name).write_bytes(content)
    try:
        load()
    except ConfigurationError as error:
        return error
    finally:
        Path(name).write_bytes(FILES[name])
    return None


def named(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Has a JSON file be the settings file."""
    if name.endswith(".json"):
        monkeypatch.setenv("ELOQUENCE_CONFIG", name)
    return name


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_anywhere_is_no_traceback(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(name, monkeypatch)
    refused = [refusal(name, FILES[name][:at]) for at in range(len(FILES[name]))]
    told = [one for one in refused if one is not None]
    assert told
    assert all(one.mend for one in told)
    assert all(name in one.message or "ELOQUENCE_STT" in one.message for one in told)


@pytest.mark.parametrize("name", FILES)
def test_a_mangled_file_is_told_with_its_name_and_its_mend_and_is_no_traceback(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named(name, monkeypatch)
    chance = random.Random(name)
    told = []
    for _ in range(MUTATIONS // len(FILES)):
        content = FILES[name]
        for _ in range(chance.randrange(1, 4)):
            content = mutated(content, chance)
        if (error := refusal(name, content)) is not None:
            told.append(error)
    assert len(told) > MUTATIONS // len(FILES) // 10
    assert all(one.mend for one in told)
    # A mutation may have made a name of it, which is told.
    said = [re.sub("setting '[^']*'", "", str(one)) for one in told]
    assert not [one for one in said if "hush" in one]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("eloquence.toml", b"port = 1\n[llm\n", "eloquence.toml, line 2"),
        ("eloquence.toml", b"\n\nport = 'many'\n", "eloquence.toml, line 3: setting 'port'"),
        ("eloquence.toml", b"[llm]\nprovider = 3\n", "eloquence.toml, line 2: setting 'llm"),
        ("eloquence.toml", b"x = 1\n", "eloquence.toml, line 1: setting 'x'"),
        ("eloquence.toml", b"port = 1\nx = \xff\n", "eloquence.toml, line 2"),
        ("eloquence.toml", b"x = " + b"[" * 5000, "nested too deeply"),
        ("eloquence.toml", b"#" * (1 << 21), "eloquence.toml is larger than 1 MB"),
        (".env", b"A=1\nno name\n{}\n", ".env, line 2"),
        (".env", b"A=1\n\xff=2\n", ".env, line 2"),
        (".env", b"A=1\nELOQUENCE_PORT=many\n", ".env, line 2: setting 'port'"),
        (".env", b"LOG_LEVEL=loud\n", ".env, line 1: setting 'log_level'"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(name: str, content: bytes, told: str) -> None:
    error = refusal(name, content)
    assert error is not None
    assert told in error.message
    assert error.mend


def test_a_wrong_variable_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_PORT", "many")
    with pytest.raises(ConfigurationError, match="ELOQUENCE_PORT in the environment: set"):
        load()


def test_a_folder_in_place_of_the_file_is_told(folder: Path) -> None:
    (folder / "eloquence.toml").unlink()
    (folder / "eloquence.toml").mkdir()
    with pytest.raises(ConfigurationError, match=r"eloquence\.toml cannot be read"):
        load()


def test_a_server_goes_on_with_the_last_good_settings_and_says_so_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    current = Current(load())
    assert current.settings.llm.options["model"] == "mistral-nemo"
    chance = random.Random(7)
    content = FILES["eloquence.toml"]
    for number in range(100):
        (folder / "eloquence.toml").write_bytes(mutated(content, chance) + b"\n[never closed")
        assert current.settings.llm.provider == "openai"
        problem = current.problem
        assert problem is not None, number
        assert problem.message.startswith("eloquence.toml")
    (folder / "eloquence.toml").write_bytes(b"[stt\n")
    assert current.problem is not None
    told = [line.getMessage() for line in caplog.records if "stay as they were" in line.message]
    for _ in range(5):
        os.utime(folder / "eloquence.toml", ns=(1, _))
        assert current.problem is not None
    again = [line.getMessage() for line in caplog.records if "stay as they were" in line.message]
    assert told == again
    (folder / "eloquence.toml").write_bytes(content.replace(b"mistral-nemo", b"mistral-small"))
    assert current.problem is None
    assert current.settings.llm.options["model"] == "mistral-small"
