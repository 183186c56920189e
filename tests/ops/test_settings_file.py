"""Changing the settings file: comments, order, rights and other people's changes stay (PRV-01)."""

import json
import os
import stat
import threading
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from eloquence import sources
from eloquence.config import Settings, load
from eloquence.errors import ConfigurationError
from eloquence.ops.settings_file import Wanted, change, set_plugins, use
from eloquence.registry import Stage

WRITTEN = """\
# Our school's coach.
port = 9001  # next to the library's

# Who answers: see the contract.
[llm]
provider = "openai"  # Scaleway
model = "mistral-nemo-instruct-2407"
temperature = 0.4 # calm

[stt]
# on the second machine
provider = "vosk"
url = "ws://localhost:2700"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def file(folder: Path) -> Path:
    path = folder / "eloquence.toml"
    path.write_text(WRITTEN)
    return path


def test_a_provider_is_changed_where_it_stands_and_comments_stay(file: Path) -> None:
    """PRV-04."""
    use("llm", Wanted("openai", {"model": "gpt-4o"}, (Wanted("script"),)))
    assert file.read_text() == WRITTEN.replace(
        'model = "mistral-nemo-instruct-2407"\ntemperature = 0.4 # calm\n',
        'model = "gpt-4o"\nfallback = ["script"]\n',
    )
    told = load()
    assert (told.llm.provider, told.llm.options) == ("openai", {"model": "gpt-4o"})
    assert [one.provider for one in told.llm.fallback] == ["script"]
    assert (told.port, told.stt.options) == (9001, {"url": "ws://localhost:2700"})


def test_a_stage_that_was_not_there_comes_at_the_end(file: Path) -> None:
    use("tts", Wanted("espeak", {"speed": 1.1}))
    assert file.read_text().startswith(WRITTEN)
    assert tomllib.loads(file.read_text())["tts"] == {"provider": "espeak", "speed": 1.1}


@pytest.mark.parametrize(
    "before",
    [
        "",
        'llm = "openai"\nport = 9001\n',
        'llm = "openai"  # for now\nport = 9001\n\n[stt]\nprovider = "none"\n',
        'llm.provider = "openai"\nllm.model = "x"\nport = 9001\n',
        'llm = {provider = "openai", model = "x"}\nport = 9001\n',
        '[llm]\nprovider = "openai"\n[llm.options]\nmodel = "x"\n',
        '[llm]\r\nprovider = "openai"\r\n',
    ],
)
def test_however_a_stage_was_written_it_is_changed_and_the_rest_is_kept(
    folder: Path, before: str
) -> None:
    path = folder / "eloquence.toml"
    path.write_bytes(before.encode())
    rest = {name: one for name, one in tomllib.loads(before).items() if name != "llm"}
    fallback = (Wanted("openai", {"base_url": "http://localhost:1/v1"}), Wanted("script"))
    wanted = Wanted("openai", {"model": "gpt-4o", "temperature": 0.2}, fallback)
    use("llm", wanted)
    assert tomllib.loads(path.read_bytes().decode()) == {**rest, "llm": wanted.as_table()}
    assert "# for now" not in before or "[stt]" in path.read_text()


def test_a_json_file_is_changed_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PRV-01."""
    path = folder / "agent.json"
    path.write_text(json.dumps({"port": 9001, "llm": {"provider": "openai", "model": "x"}}))
    monkeypatch.setenv("ELOQUENCE_CONFIG", str(path))
    use("llm", Wanted("script"))
    assert json.loads(path.read_text()) == {"port": 9001, "llm": {"provider": "script"}}
    assert not (folder / "eloquence.toml").exists()


def test_a_change_that_would_not_load_changes_nothing(file: Path) -> None:
    def broken(found: dict[str, object]) -> dict[str, object]:
        return {**found, "port": "many"}

    with pytest.raises(ConfigurationError, match=r"Nothing was changed\. .*eloquence\.toml"):
        change(broken)
    assert file.read_text() == WRITTEN
    assert [path.name for path in file.parent.iterdir()] == ["eloquence.toml"]


def test_what_the_check_forbids_changes_nothing(file: Path) -> None:
    def forbidding(settings: Settings) -> None:
        assert settings.tts.provider == "espeak"
        raise ConfigurationError("No.")

    with pytest.raises(ConfigurationError, match="No"):
        use("tts", Wanted("espeak"), forbidding)
    assert file.read_text() == WRITTEN


def test_a_file_that_is_broken_already_is_left_to_people(folder: Path) -> None:
    (folder / "eloquence.toml").write_text("[llm\n")
    with pytest.raises(ConfigurationError, match="line 1"):
        use("llm", Wanted("script"))
    assert (folder / "eloquence.toml").read_text() == "[llm\n"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_is_kept(file: Path, mode: int) -> None:
    file.chmod(mode)
    use("tts", Wanted("espeak"))
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_link_goes_on_pointing_to_the_file(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    real = folder / "elsewhere" / "ours.toml"
    real.write_text("port = 9001\n")
    (folder / "eloquence.toml").symlink_to(real)
    use("tts", Wanted("espeak"))
    assert (folder / "eloquence.toml").is_symlink()
    assert tomllib.loads(real.read_text())["tts"] == {"provider": "espeak"}


@pytest.mark.skipif(os.name != "posix", reason="rights of folders are those of POSIX")
def test_a_folder_that_cannot_be_written_is_told(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refused)
    with pytest.raises(ConfigurationError, match="cannot be written: Permission denied"):
        use("tts", Wanted("espeak"))
    assert file.read_text() == WRITTEN


def test_a_crash_before_the_file_is_replaced_loses_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashing(_: Path, __: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", crashing)
    with pytest.raises(ConfigurationError, match="No space left"):
        use("tts", Wanted("espeak"))
    assert file.read_text() == WRITTEN
    assert [path.name for path in file.parent.iterdir()] == ["eloquence.toml"]


def test_two_who_change_it_at_once_both_count(file: Path) -> None:
    stages: tuple[Stage, ...] = ("stt", "tts")
    ready = threading.Barrier(len(stages) + 1)
    failures: list[BaseException] = []

    def edit(number: int) -> None:
        ready.wait()
        try:
            if number == len(stages):
                change(lambda found: {**found, "port": 9002})
            else:
                use(stages[number], Wanted("openai", {"model": f"m{number}"}))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert failures == []
    told = load()
    assert (told.stt.options, told.tts.options) == ({"model": "m0"}, {"model": "m1"})
    assert (told.port, told.llm.provider) == (9002, "openai")


def test_somebody_who_never_finishes_is_not_waited_for_without_end(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr("eloquence.ops.settings_file.PATIENCE", 0.05)
    holder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="another program"):
            use("tts", Wanted("espeak"))
    finally:
        os.close(holder)
    use("tts", Wanted("espeak"))


def test_plugins_are_enabled_in_order_and_their_own_settings_stay(file: Path) -> None:
    """PRV-06."""
    file.write_text('[plugins]\nenabled = ["example"] # to try\n\n[plugins.example]\nlevel = 2\n')
    text = file.read_text()
    edited: list[str] = []

    def noted(settings: Settings) -> None:
        edited.append("checked")

    set_plugins(lambda listed: {"enabled": ("profanity_filter", *listed.enabled)}, noted)
    assert edited == ["checked"]
    assert file.read_text() == text.replace('["example"]', '["profanity_filter", "example"]')


VALUES = st.one_of(
    st.text(max_size=12),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.text(max_size=4), max_size=3),
)
KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(
    lambda key: key not in ("provider", "fallback", "options")
)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(options=st.dictionaries(KEYS, VALUES, max_size=4), before=st.sampled_from([WRITTEN, ""]))
def test_whatever_the_options_are_they_are_read_back_as_given(
    options: dict[str, object], before: str
) -> None:
    Path("eloquence.toml").write_text(before)
    use("llm", Wanted("openai", options))
    assert sources.read(Path("eloquence.toml"))["llm"] == {"provider": "openai", **options}
