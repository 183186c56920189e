"""The database: its tables, how it is opened, and how its failures are told.

SQLite in WAL mode by default, another SQLAlchemy URL when an operator gives one. Everything here
blocks; `eloquence.storage.sessions` keeps it off the event loop.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError

from eloquence.errors import StorageError

BUSY_SECONDS = 10.0
"""How long a call waits for another process that holds the database."""

CONNECT_SECONDS = 3
"""How long a call waits for a database on another machine to answer."""

_VANISHED = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": 10_000,  # milliseconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""By which a call notices, within 11 s, that the machine of the database is gone without a word:
the network alone would let every call of the process wait for a quarter of an hour."""

MIGRATIONS = Path(__file__).parent / "migrations"
"""One module per step under `versions`; a file's name begins with its revision."""

metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("started_at", Float, nullable=False, index=True),
    Column("owner", String(64), index=True),  # the process that holds it while it is live
    Column("body", Text, nullable=False),  # Session as JSON
    Column("ending", Text),  # SessionEnd as JSON; null while it is live
    Column("language", String(8), nullable=False, server_default=""),  # that of the body
    Column("annotations", Text),  # Annotations as JSON; null until the learner added something
    Column("judgement", Text),  # Judgement as JSON; null until the content was judged
    Column("outcome", Text),  # Past as JSON; null until a report was made of it
    Column("learner", String(64), nullable=False, server_default="", index=True),  # an account
    Column("epoch", Integer, nullable=False, server_default="0"),  # see storage.leases
    Column("beat", Integer, nullable=False, server_default="0"),
    Column("room", String(64), index=True),  # the room in which it is held; null without one
    Column("judging", Float),  # POSIX time until which a process is judging the content
    Column("request", Text),  # the hello, as JSON, with which a room was asked for
)

turns = Table(
    "turns",
    metadata,
    Column(
        "session_id",
        String(64),
        ForeignKey("sessions.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("end", Float, nullable=False),
    Column("body", Text, nullable=False),  # Turn as JSON, without its sound
    Column("sound", LargeBinary),  # Sound as JSON, deflated: it is most of a turn's size
    Column("checkpoint", Text),  # Checkpoint as JSON: where the conversation stood after it
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("issuer", Text),  # whom an OpenID Connect provider calls what; null for others
    Column("subject", Text),
    Column("disabled", Boolean, nullable=False),
    UniqueConstraint("issuer", "subject"),
)


def _account() -> "Column[str]":
    return Column(
        "account_id",
        String(64),
        ForeignKey("accounts.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    )


api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),  # how the key begins
    _account(),
    Column("hash", String(64), nullable=False),  # SHA-256 of the key
    Column("created_at", Float, nullable=False),
    Column("used_at", Float),
    Column("revoked_at", Float),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("hash", String(64), primary_key=True),  # SHA-256 of the browser's token
    _account(),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)

requests = Table(
    "requests",
    metadata,
    Column("learner", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),  # the same request again has the same
    Column("session_id", String(64), nullable=False, index=True),  # which may be deleted since
    Column("asked_at", Float, nullable=False, index=True),
    Column("talked", Float),  # seconds, of a session that is deleted
)

memories = Table(
    "memories",
    metadata,
    Column("learner", String(64), primary_key=True),  # those who want facts to be kept
)

facts = Table(
    "facts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("learner", String(64), nullable=False, index=True),
    Column("session_id", String(64), ForeignKey("sessions.id", ondelete="CASCADE"), index=True),
    Column("kind", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("noted_at", Float, nullable=False),
)

plugin_figures = Table(
    "plugin_figures",
    metadata,
    Column("plugin", String(64), primary_key=True),
    Column("figure", String(64), primary_key=True),
    Column("value", Float, nullable=False),
)

_MIGRATING = 0x656C6F71
"""The advisory lock of whoever brings the tables up to date."""

_SYNCHRONOUS = {"aiosqlite": "sqlite", "asyncpg": "postgresql+psycopg"}
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


def location(database_url: str) -> URL:
    """The URL with a driver that blocks. Raises StorageError when it is no database URL."""
    try:
        scheme, rest = database_url.split(":", 1) if ":" in database_url else (database_url, "")
        url = make_url(f"{_DRIVERS.get(scheme, scheme)}:{rest}")
        driver = url.drivername.partition("+")[2]
        url = url.set(drivername=_SYNCHRONOUS.get(driver, url.drivername))
        url.get_dialect()
    except ArgumentError as error:
        raise StorageError(
            "The address of the database is not one that can be read.",
            mend="Give one such as sqlite:////path/to/eloquence.db.",
        ) from error
    return url


def file(url: URL) -> Path | None:
    """The SQLite file behind the URL, None for another kind of database."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


def connect(url: URL) -> Engine:
    """An engine whose commits are on the disk when they return. Raises StorageError."""
    path = file(url)
    if path is None:
        given = url.query if "psycopg" in url.drivername else _VANISHED
        reach = {name: value for name, value in _VANISHED.items() if name not in given}
        with failures():
            # A connection that the database has dropped meanwhile is noticed before it is used.
            return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=reach)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made here, so that nobody else may read it; SQLite gives its side files the same rights.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StorageError(
            f"The database {path} cannot be opened: {error.strerror}.",
            mend="Check that the folder exists and that you may write there.",
        ) from error
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # Python's driver would otherwise leave statements that change tables outside transactions.
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # a commit survives a power cut, not only the end of the process
            "foreign_keys = ON",
            "secure_delete = ON",  # what a learner deletes is overwritten
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: a reader that turned writer could only fail.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def check(engine: Engine) -> None:
    """Raises StorageError when the file is damaged."""
    if engine.dialect.name != "sqlite":
        return
    with failures(), engine.connect() as connection:
        found = connection.execute(text("PRAGMA quick_check(1)")).scalar()
    if found != "ok":
        raise _damaged()


def migrate(engine: Engine) -> None:
    """Brings the tables up to this program, wholly or not at all. Raises StorageError."""
    known = sorted(path.stem.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))
    current = _revision(engine)
    if current is not None and current not in known:
        raise StorageError(
            "The database was written by a newer Eloquence than this one.",
            mend="Upgrade Eloquence, or choose another data folder with ELOQUENCE_DATA.",
        )
    if current == known[-1]:
        return
    from alembic import command  # slow to load, and seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with failures(), engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            # Servers that start at once take turns; those that come later find nothing to do.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(engine: Engine) -> str | None:
    with failures(), engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def wipe(engine: Engine) -> None:
    """Makes for good what was deleted: it would stay readable in SQLite's write-ahead log. Raises
    StorageError."""
    if engine.dialect.name == "sqlite":
        with failures(), engine.connect() as connection:
            connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def failures() -> Iterator[None]:
    """Tells whatever the database raises as a StorageError that says what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        raise _storage_error(error) from error
    except ModuleNotFoundError as error:
        raise StorageError(
            f"This kind of database needs the package {error.name!r}.",
            mend=f"Install it: pip install {error.name}.",
        ) from error


def _damaged() -> StorageError:
    return StorageError(
        "The database of sessions is damaged; nothing was changed.",
        mend="Put a backup of eloquence.db back, or move the file away to start afresh.",
    )


def _storage_error(error: Exception) -> StorageError:
    cause = getattr(error, "orig", error)
    name = str(getattr(cause, "sqlite_errorname", ""))
    if name.startswith("SQLITE_FULL"):
        return StorageError("The disk is full: nothing was stored.", mend="Free some space.")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StorageError(
            f"The database was held by another program for {BUSY_SECONDS:g} s.",
            mend="Close the program that holds it, then try again.",
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return _damaged()
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return StorageError(
            "The database of sessions cannot be written.",
            mend="Check that you may write to the data folder and its files.",
        )
    if name.startswith("SQLITE_IOERR"):
        return StorageError(
            "The disk failed while the database was used.",
            mend="Check the disk that holds the data folder.",
        )
    kind = name or type(cause).__name__
    return StorageError(f"The database refused ({kind}).", mend="See the log for the cause.")
