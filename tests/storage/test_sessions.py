"""Sessions in SQLite: what was acknowledged is there, whatever happens to the process."""

import asyncio
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
import soundfile
from sqlalchemy import event

from eloquence.coaching.history import Figure, Past
from eloquence.coaching.judgement import CriterionJudgement, Judgement, Quote
from eloquence.coaching.session import Annotations, Latency, Session, SessionEnd, Turn
from eloquence.delivery.sound import Sound
from eloquence.delivery.words import Word
from eloquence.errors import SessionNotFoundError, StorageError
from eloquence.storage import database
from eloquence.storage.sessions import SqlSessionStore, open_store

CANARY = "CANARI-de-la-voix"


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'eloquence.db'}"


def session(session_id: str = "s1", started_at: float = 1_700_000_000.0) -> Session:
    return Session(
        id=session_id,
        exercise="conversation_libre_marie",
        scenario="libre",
        character="marie_coach",
        language="fr",
        started_at=started_at,
        stages={"stt": "none"},
        title="Conversation libre",
    )


def turn(index: int, text: str = "bonjour") -> Turn:
    return Turn(
        index=index,
        speaker="learner" if index % 2 else "character",
        start=index * 2.0,
        end=index * 2.0 + 1.5,
        text=text,
        words=(Word(text, index * 2.0, index * 2.0 + 0.1, 0.9),),
        interrupted=index == 2,
        latency=Latency(response=0.123456789),
        sound=Sound(
            start=index * 2.0,
            duration=1.5,
            pitch=(None, 203.123456789, 1 / 3) * 30,
            intensity=(-30.1, -20.000001, -100.0) * 30,
            speech=((0.1, 1.2),),
            nuclei=(0.2, 0.4),
            snr=None,
            clipping=0.0,
        ),
    )


def every_byte(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


END = SessionEnd(status="complete", reason="learner", duration=12.5)


async def test_a_session_comes_back_exactly_as_it_was_stored(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path / "recordings") as store:
        await store.open(session())
        for index in range(4):
            await store.append("s1", turn(index))
        await store.end("s1", END)
    async with open_store(url(tmp_path), tmp_path / "recordings") as store:
        stored = await store.get("s1")
    assert stored.session == session()
    assert stored.turns == tuple(turn(index) for index in range(4))
    assert stored.end == END


async def test_turns_come_back_in_order_however_they_were_appended(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        for index in (2, 0, 1):
            await store.append("s1", turn(index))
        assert [said.index for said in (await store.get("s1")).turns] == [0, 1, 2]


async def test_the_list_is_newest_first_without_turns_and_can_be_paged(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        for number in range(5):
            await store.open(session(f"s{number}", started_at=float(number)))
            await store.append(f"s{number}", turn(0))
        page = await store.list(limit=2, offset=1)
    assert [stored.session.id for stored in page] == ["s3", "s2"]
    assert all(stored.turns == () for stored in page)


async def test_the_same_turn_twice_is_harmless_and_another_in_its_place_is_refused(
    tmp_path: Path,
) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        await store.append("s1", turn(0))
        await store.append("s1", turn(0))
        with pytest.raises(StorageError, match="another turn 0"):
            await store.append("s1", turn(0, text=CANARY))
        assert (await store.get("s1")).turns == (turn(0),)


async def test_what_was_measured_can_follow_its_turn(tmp_path: Path) -> None:
    measured = turn(1)
    assert measured.sound is not None
    bare = measured.model_copy(update={"sound": None})
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        await store.append("s1", bare)
        await store.end("s1", END)
        await store.attach("s1", 1, measured.sound)
        await store.attach("s1", 1, measured.sound)
        await store.append("s1", bare)
        assert (await store.get("s1")).turns == (measured,)
        with pytest.raises(StorageError, match="measured already"):
            await store.attach("s1", 1, measured.sound.model_copy(update={"clipping": 0.5}))
        with pytest.raises(StorageError, match="no turn 2"):
            await store.attach("s1", 2, measured.sound)


async def test_an_ended_session_takes_no_more_turns_and_no_other_end(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        await store.append("s1", turn(0))
        await store.end("s1", END)
        await store.end("s1", END)
        await store.append("s1", turn(0))
        with pytest.raises(StorageError, match="no more turns"):
            await store.append("s1", turn(1))
        with pytest.raises(StorageError, match="already ended"):
            await store.end("s1", END.model_copy(update={"reason": "idle"}))


async def test_an_unknown_session_is_told_for_every_call(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        for call in (
            store.get("absent"),
            store.delete("absent"),
            store.append("absent", turn(0)),
            store.end("absent", END),
            store.annotate("absent", lambda _: ADDED),
            store.judge("absent", JUDGED),
            store.remember("absent", past("absent", 0.0)),
            store.version("absent"),
        ):
            with pytest.raises(SessionNotFoundError, match="absent"):
                await call


async def test_an_id_that_could_leave_the_folder_is_refused(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        with pytest.raises(SessionNotFoundError):
            await store.open(session("../away"))


ADDED = Annotations(
    dismissed=frozenset({"long_pause@41.20", "filled_pause@3.00"}),
    worked="Le début.",
    plan="Respirer avant de répondre.",
)
JUDGED = Judgement(
    rubric="job_interview",
    rubric_version=1,
    prompt_version=2,
    provider="openai",
    model="some-model",
    made_at=1_700_000_100.0,
    criteria=(
        CriterionJudgement(
            criterion="situation", level=2.0, low=1, high=3, quotes=(Quote(text=CANARY, turn=1),)
        ),
    ),
    spread=0.25,
)


def past(session_id: str, started_at: float) -> Past:
    return Past(
        session=session_id,
        exercise="conversation_libre_marie",
        language="fr",
        started_at=started_at,
        seconds=61.0,
        words=150,
        by_ear=False,
        measures={"speech_rate": Figure(value=4.6, error=0.2)},
        scores={"fluency": 0.8},
        priority="speech_rate",
        drill="metronome",
    )


async def test_what_was_added_to_a_session_comes_back_with_it(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        assert (await store.get("s1")).annotations == Annotations()
        assert (await store.get("s1")).judgement is None
        await store.end("s1", END)
        await store.annotate("s1", lambda _: Annotations(worked="autre chose"))
        await store.annotate("s1", lambda _: ADDED)
        await store.judge("s1", JUDGED)
    async with open_store(url(tmp_path), tmp_path) as store:
        stored = await store.get("s1")
        (listed,) = await store.list()
    assert stored.annotations == ADDED
    assert stored.judgement == JUDGED
    assert stored.end == END
    assert listed == stored.model_copy(update={"judgement": None})


async def test_the_version_changes_with_all_that_a_session_gives_and_with_nothing_else(
    tmp_path: Path,
) -> None:
    bare = turn(1).model_copy(update={"sound": None})
    measured = turn(1).sound
    assert measured is not None
    async with open_store(url(tmp_path), tmp_path / "recordings") as store:
        await store.open(session())
        seen = [await store.version("s1")]
        sound = tmp_path / "recordings" / "s1" / "learner.flac"
        sound.parent.mkdir(parents=True)
        for change in (
            lambda: store.append("s1", bare),
            lambda: store.attach("s1", 1, measured),
            lambda: store.end("s1", END),
            lambda: store.annotate("s1", lambda _: ADDED),
            lambda: store.judge("s1", JUDGED),
            lambda: asyncio.to_thread(soundfile.write, sound, [0.1, 0.2], 16_000),
        ):
            await change()
            seen.append(await store.version("s1"))
        assert len(set(seen)) == len(seen)
        await store.remember("s1", past("s1", session().started_at))
        await store.annotate("s1", lambda _: ADDED)
        assert await store.version("s1") == seen[-1]


async def test_the_history_holds_the_last_sessions_of_the_language_oldest_first(
    tmp_path: Path,
) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        for number in range(6):
            name = f"s{number}"
            opened = session(name, started_at=float(number))
            if number == 2:
                opened = opened.model_copy(update={"language": "en"})
            await store.open(opened)
            if number != 4:
                await store.end(name, END)
            if number != 1:
                await store.remember(name, past(name, float(number)))
        assert [one.session for one in await store.history("fr")] == ["s0", "s3", "s5"]
        assert [one.session for one in await store.history("fr", before=5.0)] == ["s0", "s3"]
        assert [one.session for one in await store.history("fr", limit=1)] == ["s5"]
        assert (await store.history("fr"))[0] == past("s0", 0.0)
        assert await store.unremembered("fr") == ["s1"]
        assert await store.unremembered("fr", before=1.0) == []
        assert await store.unremembered("fr", limit=2) == []


async def test_a_memory_of_another_version_is_made_again(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        await store.end("s1", END)
        await store.remember("s1", past("s1", session().started_at))
        with sqlite3.connect(tmp_path / "eloquence.db") as connection:
            connection.execute("UPDATE sessions SET outcome = '{\"other\": 1}'")
        connection.close()
        assert await store.history("fr") == ()
        assert await store.unremembered("fr") == ["s1"]


async def test_deleting_a_session_deletes_what_was_added_and_spares_its_drills(
    tmp_path: Path,
) -> None:
    drill = session("d1").model_copy(update={"purpose": "drill", "of": "s1", "drill": "metronome"})
    async with open_store(url(tmp_path), tmp_path / "recordings") as store:
        await store.open(session())
        await store.end("s1", END)
        await store.annotate("s1", lambda _: Annotations(worked=CANARY, plan=CANARY))
        await store.judge("s1", JUDGED)
        await store.remember("s1", past("s1", session().started_at))
        await store.open(drill)
        await store.delete("s1")
        assert CANARY.encode() not in every_byte(tmp_path)
        assert await store.history("fr") == ()
        assert (await store.get("d1")).session == drill


async def test_a_taken_id_is_refused(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        with pytest.raises(StorageError, match="already is"):
            await store.open(session())


async def test_deleting_leaves_no_word_in_any_file(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    async with open_store(url(tmp_path), recordings) as store:
        await store.open(session())
        await store.open(session("other"))
        await store.append("s1", turn(0, text=CANARY))
        await store.append("other", turn(0))
        sound = recordings / "s1" / "learner.flac"
        sound.parent.mkdir(parents=True)
        soundfile.write(sound, [0.1, 0.2], 16_000)
        with sound.open("ab") as file:
            file.write(CANARY.encode())
        assert (await store.get("s1")).audio == ("learner",)
        await store.delete("s1")
        assert not sound.parent.exists()
        assert CANARY.encode() not in every_byte(tmp_path)
        assert (await store.get("other")).turns == (turn(0),)


async def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    async with open_store(url(home), home / "recordings") as store:
        await store.open(session())
        modes = {path.name: path.stat().st_mode & 0o077 for path in home.rglob("*")}
    assert len(modes) >= 4
    assert set(modes.values()) == {0}


async def test_sessions_of_a_living_process_are_left_alone(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as first:
        await first.open(session())
        async with open_store(url(tmp_path), tmp_path) as second:
            assert (await second.get("s1")).end is None
        await first.append("s1", turn(0))
        await first.end("s1", END)
        assert (await first.get("s1")).end == END


WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_sessions import open_store, session, turn, url
async def main():
    folder = Path(sys.argv[1])
    async with open_store(url(folder), folder) as store:
        await store.open(session())
        print("open", flush=True)
        index = 0
        while True:
            await store.append("s1", turn(index))
            print(index, flush=True)
            index += 1
asyncio.run(main())
"""


def acknowledged_before_kill(folder: Path, enough: int) -> int:
    """Index of the last turn that a process acknowledged before it was killed, -1 for none."""
    program = WRITER.format(tests=str(Path(__file__).parent))
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        told = [child.stdout.readline().strip() for _ in range(enough + 1)]
        os.kill(child.pid, signal.SIGKILL)
        told += child.stdout.read().split()
    return int(told[-1]) if told[-1] != "open" else -1


@pytest.mark.parametrize("acknowledged", [0, 1, 2, 7, 23])
async def test_a_killed_process_loses_no_acknowledged_turn(
    tmp_path: Path, acknowledged: int
) -> None:
    """D03: kill -9 after so many acknowledgements; stored holds all of them, each once."""
    last = acknowledged_before_kill(tmp_path, acknowledged)
    async with open_store(url(tmp_path), tmp_path) as store:
        stored = await store.get("s1")
    assert stored.turns[: last + 1] == tuple(turn(index) for index in range(last + 1))
    assert len(stored.turns) <= last + 2, "at most one turn was stored and not yet told"
    duration = stored.turns[-1].end if stored.turns else 0.0
    assert stored.end == SessionEnd(status="interrupted", reason="process_died", duration=duration)
    assert list((tmp_path / "eloquence.db-owners").iterdir()) == []


MIGRATOR = """
import os, sys
from pathlib import Path
import alembic.command
from sqlalchemy import event
from eloquence.storage import database
for fatal in range(1, 100):
    folder = Path(sys.argv[1]) / str(fatal)
    child = os.fork()
    if not child:
        engine = database.connect(database.location(f"sqlite:///{folder / 'eloquence.db'}"))
        done = 0
        @event.listens_for(engine, "after_cursor_execute")
        def die(*_):
            global done
            done += 1
            if done == fatal:
                os._exit(9)
        database.migrate(engine)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        print(fatal - 1)
        break
"""


def statements_survived(folder: Path) -> int:
    """How many statements the migration has: the process was killed after each of them once."""
    command = [sys.executable, "-c", MIGRATOR, str(folder)]
    return int(subprocess.check_output(command, text=True))


async def test_a_migration_that_is_killed_anywhere_can_be_made_again(tmp_path: Path) -> None:
    """D06: the process dies after each statement in turn; the tables are old or new."""
    died = statements_survived(tmp_path)
    assert died >= 5
    for fatal in range(1, died + 1):
        folder = tmp_path / str(fatal)
        connection = sqlite3.connect(folder / "eloquence.db")
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        connection.close()
        assert tables == []
        async with open_store(url(folder), folder) as store:
            await store.open(session())
            assert (await store.get("s1")).session == session()


async def test_the_migrations_make_the_tables_that_the_program_uses(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    async with open_store(url(tmp_path), tmp_path):
        pass
    engine = database.connect(database.location(url(tmp_path)))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, database.metadata) == []
    engine.dispose()


def of_version_1(folder: Path) -> None:
    """A database as the first version left it, with two sessions and their turns."""
    from alembic import command
    from alembic.config import Config

    engine = database.connect(database.location(url(folder)))
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with sqlite3.connect(folder / "eloquence.db") as raw:
        for name, language in (("s1", "fr"), ("s2", "en")):
            kept = session(name).model_copy(update={"language": language})
            body = kept.model_dump_json(exclude={"profile", "purpose", "of", "drill", "exam"})
            raw.execute(
                "INSERT INTO sessions (id, started_at, body, ending) VALUES (?, ?, ?, ?)",
                (name, kept.started_at, body, END.model_dump_json()),
            )
            said = turn(0).model_dump_json(exclude={"sound", "phase"})
            raw.execute(
                'INSERT INTO turns (session_id, "index", "end", body) VALUES (?, 0, 1.5, ?)',
                (name, said),
            )
    raw.close()


async def test_sessions_of_the_first_version_are_there_after_the_upgrade(tmp_path: Path) -> None:
    of_version_1(tmp_path)
    async with open_store(url(tmp_path), tmp_path) as store:
        stored = await store.get("s1")
        assert stored.session == session()
        assert stored.turns == (turn(0).model_copy(update={"sound": None}),)
        assert stored.end == END
        assert stored.annotations == Annotations()
        assert await store.unremembered("fr") == ["s1"]
        assert await store.unremembered("en") == ["s2"]
        await store.annotate("s1", lambda _: ADDED)
        assert (await store.get("s1")).annotations == ADDED


async def test_the_second_step_can_be_taken_back_without_losing_a_turn(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    of_version_1(tmp_path)
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.annotate("s1", lambda _: ADDED)
    engine = database.connect(database.location(url(tmp_path)))
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    engine.dispose()
    with sqlite3.connect(tmp_path / "eloquence.db") as raw:
        columns = [row[1] for row in raw.execute("PRAGMA table_info(sessions)")]
        assert columns == ["id", "started_at", "owner", "body", "ending"]
        assert raw.execute("SELECT count(*) FROM turns").fetchone() == (2,)
    raw.close()
    async with open_store(url(tmp_path), tmp_path) as store:
        assert (await store.get("s1")).session == session()
        assert (await store.get("s1")).annotations == Annotations()


async def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path):
        pass
    with sqlite3.connect(tmp_path / "eloquence.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageError, match=r"newer.*Upgrade"):
        async with open_store(url(tmp_path), tmp_path):
            pass


async def test_a_file_that_is_no_database_is_refused_with_its_mend(tmp_path: Path) -> None:
    (tmp_path / "eloquence.db").write_text("a shopping list\n" * 200)
    with pytest.raises(StorageError, match=r"damaged.*backup"):
        async with open_store(url(tmp_path), tmp_path):
            pass


@pytest.mark.parametrize("page", [0, 1, 2, 3, 4])
async def test_a_damaged_page_is_found_when_the_store_is_opened(tmp_path: Path, page: int) -> None:
    """D05: bytes of a b-tree page's header are flipped."""
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        await store.append("s1", turn(0))
    path = tmp_path / "eloquence.db"
    held = bytearray(path.read_bytes())
    where = page * 4096 + (100 if page == 0 else 0)
    held[where : where + 8] = bytes(byte ^ 0xFF for byte in held[where : where + 8])
    path.write_bytes(held)
    with pytest.raises(StorageError, match="damaged"):
        async with open_store(url(tmp_path), tmp_path):
            pass


async def test_a_held_database_is_told_and_the_loop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D04: another program holds the file; the call waits off the event loop."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        holder = sqlite3.connect(tmp_path / "eloquence.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        with pytest.raises(StorageError, match="held by another program"):
            await store.append("s1", turn(0))
        ticking.cancel()
        holder.execute("ROLLBACK")
        holder.close()
        assert ticks > 100
        await store.append("s1", turn(0))
        assert (await store.get("s1")).turns == (turn(0),)


async def test_a_full_disk_is_told_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """D01: the database may not grow; what was acknowledged stays, what was refused is not."""
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        _grow_no_more(store)
        with pytest.raises(StorageError, match="disk is full"):
            await _append_without_end(store)
        stored = (await store.get("s1")).turns
    assert 0 < len(stored) == len({said.index for said in stored})
    assert stored == tuple(turn(index) for index in range(len(stored)))


async def _append_without_end(store: SqlSessionStore, text: str = "bonjour") -> None:
    for index in itertools.count():
        await store.append("s1", turn(index, text))


def _grow_no_more(store: SqlSessionStore) -> None:
    with store._engine.connect() as connection:
        raw = connection.connection
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count = {pages + 8}")


async def test_an_error_never_quotes_what_was_said(tmp_path: Path) -> None:
    async with open_store(url(tmp_path), tmp_path) as store:
        await store.open(session())
        _grow_no_more(store)
        with pytest.raises(StorageError) as caught:
            await _append_without_end(store, CANARY)
    error: BaseException | None = caught.value
    while error is not None:
        assert CANARY not in str(error)
        error = error.__cause__ or error.__context__


async def test_a_folder_where_one_may_not_write_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be opened"):
        async with open_store(url(tmp_path / "file"), tmp_path):
            pass


async def test_an_address_that_is_none_is_told_without_repeating_it(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="address of the database") as caught:
        async with open_store("user:secret", tmp_path):
            pass
    assert "secret" not in str(caught.value)


def test_a_database_whose_machine_is_gone_without_a_word_is_noticed_soon() -> None:
    def told(address: str) -> dict[str, object]:
        """What the driver is given to connect with."""
        engine = database.connect(database.location(address))
        given: dict[str, object] = {}

        def note(*told: object) -> None:
            given.update(cast("dict[str, object]", told[3]))
            raise ConnectionRefusedError

        event.listen(engine, "do_connect", note)
        with pytest.raises(ConnectionRefusedError):
            engine.connect()
        return given

    given = told("postgresql://ada:secret@127.0.0.1/eloquence")
    assert (given["connect_timeout"], given["tcp_user_timeout"]) == (3, 10_000)
    assert (given["keepalives_idle"], given["keepalives_interval"]) == (5, 2)
    own = told("postgresql://ada:secret@127.0.0.1/eloquence?tcp_user_timeout=500")
    assert (own["connect_timeout"], own["tcp_user_timeout"]) == (3, "500")
