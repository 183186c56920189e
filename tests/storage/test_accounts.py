"""Accounts, keys and sign-ins, on SQLite and on PostgreSQL (reliability 6.7: 7.x, 11.5.1)."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from eloquence.coaching.history import Past
from eloquence.coaching.session import Session, SessionEnd, Turn
from eloquence.errors import AccountNotFoundError, SessionNotFoundError, StorageError
from eloquence.storage.accounts import (
    LOCAL,
    LONGEST_SIGN_IN,
    NOTED,
    SIGNED_IN,
    Account,
    Accounts,
)
from eloquence.storage.recordings import LEARNER_RATE, Recorder
from eloquence.storage.sessions import SqlSessionStore, open_store
from eloquence.testing.parts import Postgres

END = SessionEnd(status="complete", reason="learner", duration=12.0)
DAY = 86_400.0


class Hand:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'eloquence.db'}"
    server: Postgres = request.getfixturevalue("database_server")
    return asyncio.run(server.database())


@pytest.fixture
async def store(address: str, tmp_path: Path) -> AsyncIterator[SqlSessionStore]:
    async with open_store(address, tmp_path / "recordings") as opened:
        yield opened


@pytest.fixture
def clock(store: SqlSessionStore) -> Hand:
    """The clock of the store's accounts."""
    clock = Hand()
    store.accounts = Accounts(store._engine, store._off_loop, clock)
    return clock


def session(session_id: str, started_at: float = 1_700_000_000.0) -> Session:
    return Session(
        id=session_id,
        exercise="conversation_libre_marie",
        scenario="conversation",
        character="marie_coach",
        language="fr",
        started_at=started_at,
        keep_audio=True,
    )


def left_behind(folder: Path, *words: str) -> list[tuple[str, str]]:
    """Which of these words can still be read in SQLite's files, and where."""
    files = [path for path in folder.glob("eloquence.db*") if path.is_file()]
    held = [(path.name, path.read_bytes()) for path in files]
    return [(name, word) for name, text in held for word in words if word.encode() in text]


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(
    store: SqlSessionStore, clock: Hand
) -> None:
    ada, key = await store.accounts.add("Ada", "author")
    assert (ada.name, ada.role, ada.created_at) == ("Ada", "author", clock.time)
    assert re.fullmatch(r"elq_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", key)  # 43 characters: 256 bits
    assert await store.accounts.by_key(key) == ada
    (kept,) = await store.accounts.keys(ada.id)
    assert key.startswith(kept.id)
    assert key not in repr(kept)
    with store._engine.connect() as connection:
        for table in ("accounts", "api_keys", "sign_ins"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            assert key[len(kept.id) :] not in repr(rows)


async def test_a_key_that_differs_anywhere_is_nobodys(store: SqlSessionStore) -> None:
    _, key = await store.accounts.add("Ada", "learner")
    other = "A" if key[-1] != "A" else "B"
    for wrong in ("", "elq_", key[:-1], f"{key}A", f"{key[:-1]}{other}", key.upper(), "é" * 60):
        assert await store.accounts.by_key(wrong) is None
    for odd in ("\x00" * 60, "elq_0123\x0067_x", key.replace("elq_", "elq\n")):
        assert await store.accounts.by_key(odd) is None


async def test_a_revoked_key_and_a_disabled_account_do_not_pass(store: SqlSessionStore) -> None:
    ada, first = await store.accounts.add("Ada", "learner")
    second = await store.accounts.add_key(ada.id)
    token = await store.accounts.sign_in(ada.id)
    await store.accounts.revoke_key(first[:12])
    await store.accounts.revoke_key(first[:12])
    assert await store.accounts.by_key(first) is None
    assert await store.accounts.by_key(second) == ada
    await store.accounts.disable(ada.id)
    assert await store.accounts.by_key(second) is None
    assert await store.accounts.by_sign_in(token) is None
    await store.accounts.disable(ada.id, disabled=False)
    assert await store.accounts.by_key(second) == ada
    assert await store.accounts.by_sign_in(token) is None  # signed out, once and for all


async def test_the_last_use_of_a_key_is_noted_but_not_at_each_request(
    store: SqlSessionStore, clock: Hand
) -> None:
    ada, key = await store.accounts.add("Ada", "learner")
    await store.accounts.by_key(key)
    first = clock.time
    clock.time += NOTED / 2
    await store.accounts.by_key(key)
    assert [one.used_at for one in await store.accounts.keys(ada.id)] == [first]
    clock.time += NOTED
    await store.accounts.by_key(key)
    assert [one.used_at for one in await store.accounts.keys(ada.id)] == [clock.time]


async def test_a_sign_in_lasts_seven_days_after_its_last_use_and_thirty_in_all(
    store: SqlSessionStore, clock: Hand
) -> None:
    ada, _ = await store.accounts.add("Ada", "learner")
    left = await store.accounts.sign_in(ada.id)
    used = await store.accounts.sign_in(ada.id)
    begun = clock.time
    clock.time += SIGNED_IN - 1
    assert await store.accounts.by_sign_in(used) == ada
    clock.time += 2
    assert await store.accounts.by_sign_in(left) is None
    while clock.time + 6 * DAY < begun + LONGEST_SIGN_IN:
        clock.time += 6 * DAY
        assert await store.accounts.by_sign_in(used) == ada
    clock.time = begun + LONGEST_SIGN_IN
    assert await store.accounts.by_sign_in(used) is None


async def test_signing_out_ends_one_browser_or_all_of_them(store: SqlSessionStore) -> None:
    ada, _ = await store.accounts.add("Ada", "learner")
    bob, _ = await store.accounts.add("Bob", "learner")
    tokens = [await store.accounts.sign_in(ada.id) for _ in range(3)]
    other = await store.accounts.sign_in(bob.id)
    await store.accounts.sign_out(tokens[0])
    assert await store.accounts.by_sign_in(tokens[0]) is None
    assert await store.accounts.by_sign_in(tokens[1]) == ada
    assert await store.accounts.sign_out_everywhere(ada.id) == 2
    assert await store.accounts.by_sign_in(tokens[1]) is None
    assert await store.accounts.by_sign_in(other) == bob
    for wrong in ("", "x", "é", "\x00"):
        assert await store.accounts.by_sign_in(wrong) is None


async def test_whoever_a_provider_vouches_for_has_one_account_with_the_role_it_says_now(
    store: SqlSessionStore,
) -> None:
    meetings = (store.accounts.meet("https://id.example", "1", "Ada", "learner") for _ in range(5))
    first = await asyncio.gather(*meetings)
    assert len(set(first)) == 1
    later = await store.accounts.meet("https://id.example", "1", "Ada L.", "operator")
    assert (later.id, later.name, later.role) == (first[0].id, "Ada L.", "operator")
    elsewhere = await store.accounts.meet("https://other.example", "1", "Ada", "learner")
    assert elsewhere.id != later.id
    await store.accounts.disable(later.id)
    assert (await store.accounts.meet("https://id.example", "1", "Ada", "learner")).disabled


async def test_two_servers_that_meet_somebody_at_once_make_one_account(
    address: str, tmp_path: Path
) -> None:
    async with open_store(address, tmp_path / "a") as one, open_store(address, tmp_path / "b") as b:
        met = await asyncio.gather(
            *(
                server.accounts.meet("https://id.example", "1", "Ada", "learner")
                for server in (one, b) * 5
            )
        )
        assert len(set(met)) == 1
        assert len(await one.accounts.list()) == 1


async def test_an_account_is_found_by_its_id_or_by_a_name_that_no_other_has(
    store: SqlSessionStore,
) -> None:
    ada, _ = await store.accounts.add("Ada", "learner")
    assert await store.accounts.find(ada.id) == await store.accounts.find("Ada") == ada
    await store.accounts.add("Ada", "author")
    with pytest.raises(AccountNotFoundError, match="2 accounts"):
        await store.accounts.find("Ada")
    nobody = store.accounts
    for failing in (
        nobody.find("Bob"),
        nobody.add_key("Bob"),
        nobody.revoke_key("elq_00000000"),
        nobody.disable("Bob"),
        nobody.remove("Bob"),
        store.erase("Bob"),
    ):
        with pytest.raises(AccountNotFoundError):
            await failing


def test_each_role_may_do_what_those_before_it_may() -> None:
    author = Account("1", "Ada", "author")
    assert [author.may(role) for role in ("learner", "author", "operator")] == [True, True, False]
    assert LOCAL.may("operator")


async def test_the_sessions_of_one_account_are_not_there_for_another(
    store: SqlSessionStore,
) -> None:
    """X-31, LLM02: lists, histories and single sessions are those of one learner."""
    for learner, session_id in (("ada", "s1"), ("bob", "s2"), ("", "s3")):
        mine = store.of(learner)
        await mine.open(session(session_id))
        await mine.append(
            session_id, Turn(index=0, speaker="learner", start=0, end=1, text="Bonjour")
        )
        await mine.end(session_id, END)
        assert await store.learner(session_id) == learner
        assert [one.session.id for one in await mine.list()] == [session_id]
        assert (await mine.get(session_id)).turns
        assert await store.unremembered("fr", learner=learner) == [session_id]
        assert await store.history("fr", learner=learner) == ()
        left = Past(
            session=session_id,
            exercise="conversation_libre_marie",
            language="fr",
            started_at=1.0,
            seconds=1.0,
            words=1,
            by_ear=False,
        )
        await store.remember(session_id, left)
        assert await store.history("fr", learner=learner) == (left,)
    ada = store.of("ada")
    turn = Turn(index=1, speaker="learner", start=1, end=2, text="Oui")
    for foreign in ("s2", "s3", "absent", "../s2", "s2\x00"):
        for failing in (ada.get(foreign), ada.delete(foreign), ada.append(foreign, turn)):
            with pytest.raises(SessionNotFoundError):
                await failing
        with pytest.raises(SessionNotFoundError):
            await ada.end(foreign, END)
    with pytest.raises(StorageError):  # that of somebody else cannot be opened over, either
        await ada.open(session("s2"))
    assert await store.learner("s2") == "bob"


async def test_what_is_told_of_a_foreign_session_is_what_is_told_of_none(
    store: SqlSessionStore,
) -> None:
    await store.of("bob").open(session("s2"))
    told = []
    for name in ("s2", "s9"):
        with pytest.raises(SessionNotFoundError) as refused:
            await store.of("ada").check(name)
        told.append((str(refused.value).replace(name, "…"), refused.value.code))
    assert told[0] == told[1]


async def test_an_account_is_erased_with_its_words_and_its_sound_and_nobody_elses(
    store: SqlSessionStore, tmp_path: Path
) -> None:
    """GDPR, reliability 6.8: 0 rows and files of the one, and 0 of anybody else lost."""
    canary = "zyzzyva"
    ada, key = await store.accounts.add(canary, "learner")
    bob, _ = await store.accounts.add("Bob", "learner")
    for learner, ids in ((ada.id, ("a1", "a2", "a3")), (bob.id, ("b1",))):
        for session_id in ids:
            mine = store.of(learner)
            await mine.open(session(session_id))
            said = Turn(index=0, speaker="learner", start=0, end=1, text=f"{canary} {session_id}")
            await mine.append(session_id, said)
            async with Recorder(tmp_path / "recordings", session(session_id)) as recorder:
                recorder.learner(0.0, np.ones(LEARNER_RATE, dtype=np.int16).tobytes())
            await mine.end(session_id, END)
    assert (tmp_path / "recordings" / "a1").is_dir()
    assert await store.erase(ada.id) == 3
    assert await store.accounts.by_key(key) is None
    assert [one.id for one in await store.accounts.list()] == [bob.id]
    assert await store.list(learner=ada.id) == []
    assert [path.name for path in (tmp_path / "recordings").iterdir()] == ["b1"]
    assert [one.session.id for one in await store.list(learner=bob.id)] == ["b1"]
    assert (await store.get("b1")).turns[0].text == f"{canary} b1"
    hashed = hashlib.sha256(key.encode()).hexdigest()
    assert not left_behind(tmp_path, f"{canary} a1", f"{canary}learner", ada.id, hashed)
