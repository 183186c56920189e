"""Who may use a server: accounts, their API keys, and the browsers that are signed in.

    account, key = await store.accounts.add("Ada", "learner")
    assert await store.accounts.by_key(key) == account

A key and a sign-in are 256 random bits each. Only their SHA-256 is stored, which suffices for
secrets that nobody can guess; a key is shown once, when it is made.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, get_args

from sqlalchemy import Connection, Engine, Row, Select, delete, insert, select, update

from eloquence.errors import AccountNotFoundError
from eloquence.storage.database import accounts, api_keys, failures, sign_ins

T = TypeVar("T")

Role = Literal["learner", "author", "operator"]

ROLES: tuple[Role, ...] = get_args(Role)
"""The roles; each may do what those before it may."""

SIGNED_IN = 7 * 86_400.0
"""Seconds after its last use for which a sign-in is valid."""
LONGEST_SIGN_IN = 30 * 86_400.0
"""Seconds after which people sign in again, however often they come."""
NOTED = 60.0
"""Seconds that the last use of a key or a sign-in may be out of date: not every request writes."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may use the server. `issuer` and `subject` say who they are to an OpenID Connect
    provider; `created_at` is POSIX seconds. On one machine without accounts, everybody is the
    `LOCAL` one."""

    id: str
    name: str
    role: Role
    created_at: float = 0.0
    issuer: str = ""
    subject: str = ""
    disabled: bool = False

    def may(self, role: Role) -> bool:
        """Whether the account may do what that role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Account(id="", name="", role="operator")
"""The one learner of a machine on which nobody signs in."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed. `id` is also the beginning of the key; times are POSIX seconds."""

    id: str
    account: str
    created_at: float
    used_at: float | None
    revoked_at: float | None


class OffLoop(Protocol):
    """Runs what blocks on the store's thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


class Accounts:
    """The accounts of a store, on its engine and its thread. Every call raises StorageError when
    the store fails, and AccountNotFoundError for an account or a key that is not there."""

    def __init__(
        self, engine: Engine, off_loop: OffLoop, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._off_loop = off_loop
        self._now = now

    async def add(self, name: str, role: Role) -> tuple[Account, str]:
        """A new account with its first key."""
        return await self._off_loop(lambda: self._add(name, role))

    async def meet(self, issuer: str, subject: str, name: str, role: Role) -> Account:
        """The account of somebody whom an OpenID Connect provider vouches for: made when they come
        for the first time, with the name and the role that the provider says now. It may be
        disabled."""
        return await self._off_loop(lambda: self._meet(issuer, subject, name, role))

    async def find(self, wanted: str) -> Account:
        """The account of that id, or else the only one of that name."""
        return await self._off_loop(lambda: self._find(wanted))

    async def list(self) -> Sequence[Account]:
        """Every account, oldest first."""
        return await self._off_loop(self._list)

    async def disable(self, account_id: str, *, disabled: bool = True) -> None:
        """Shuts an account out, or lets it in again. Its browsers are signed out."""
        await self._off_loop(lambda: self._disable(account_id, disabled))

    async def remove(self, account_id: str) -> None:
        """Forgets an account, its keys and its sign-ins. What it has said is not touched: see
        `SqlSessionStore.erase`."""
        await self._off_loop(lambda: self._remove(account_id))

    # keys

    async def add_key(self, account_id: str) -> str:
        """Another key of an account, to be shown once."""
        return await self._off_loop(lambda: self._add_key(account_id))

    async def revoke_key(self, key_id: str) -> None:
        """Makes a key useless; harmless when it is already."""
        await self._off_loop(lambda: self._revoke_key(key_id))

    async def keys(self, account_id: str) -> Sequence[ApiKey]:
        """The keys of an account, oldest first, revoked ones too."""
        return await self._off_loop(lambda: self._keys(account_id))

    async def by_key(self, key: str) -> Account | None:
        """Whose key that is; None for one that is not valid, or of a disabled account."""
        return await self._off_loop(lambda: self._by_key(key))

    # browsers

    async def sign_in(self, account_id: str) -> str:
        """A token for one browser, valid for `SIGNED_IN` seconds after each use."""
        return await self._off_loop(lambda: self._sign_in(account_id))

    async def by_sign_in(self, token: str) -> Account | None:
        """Who is signed in with that token; None when nobody is, or the account is disabled."""
        return await self._off_loop(lambda: self._by_sign_in(token))

    async def sign_out(self, token: str) -> None:
        """Makes a token useless; harmless when it is already."""
        await self._off_loop(lambda: self._sign_out(token))

    async def sign_out_everywhere(self, account_id: str) -> int:
        """Signs every browser of an account out; returns how many."""
        return await self._off_loop(lambda: self._sign_out_everywhere(account_id))

    # What follows blocks, and runs on the store's thread.

    def _add(self, name: str, role: Role) -> tuple[Account, str]:
        with failures(), self._writer.begin() as connection:
            account = self._inserted(connection, name, role)
            return account, self._inserted_key(connection, account.id)

    def _inserted(
        self, connection: Connection, name: str, role: Role, issuer: str = "", subject: str = ""
    ) -> Account:
        account = Account(secrets.token_hex(8), name, role, self._now(), issuer, subject)
        connection.execute(
            insert(accounts).values(
                id=account.id,
                name=name,
                role=role,
                created_at=account.created_at,
                issuer=issuer or None,
                subject=subject or None,
                disabled=False,
            )
        )
        return account

    def _meet(self, issuer: str, subject: str, name: str, role: Role) -> Account:
        known = select(accounts).where(accounts.c.issuer == issuer, accounts.c.subject == subject)
        with failures(), self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                # Two first sign-ins at once would otherwise both find nobody.
                connection.exec_driver_sql("LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE")
            found = connection.execute(known).first()
            if found is None:
                return self._inserted(connection, name, role, issuer, subject)
            change = update(accounts).where(accounts.c.id == found.id)
            connection.execute(change.values(name=name, role=role))
            return _account(connection.execute(known).one())

    def _find(self, wanted: str) -> Account:
        with failures(), self._engine.connect() as connection:
            rows = connection.execute(select(accounts).where(accounts.c.id == wanted)).all()
            if not rows:
                rows = connection.execute(select(accounts).where(accounts.c.name == wanted)).all()
        if len(rows) > 1:
            raise AccountNotFoundError(
                f"{len(rows)} accounts are named {wanted!r}.", mend="Give the id of one instead."
            )
        if not rows:
            raise _not_found(wanted)
        return _account(rows[0])

    def _list(self) -> Sequence[Account]:
        oldest = select(accounts).order_by(accounts.c.created_at, accounts.c.id)
        with failures(), self._engine.connect() as connection:
            return [_account(row) for row in connection.execute(oldest)]

    def _disable(self, account_id: str, disabled: bool) -> None:
        change = update(accounts).where(accounts.c.id == account_id).values(disabled=disabled)
        with failures(), self._writer.begin() as connection:
            if not connection.execute(change).rowcount:
                raise _not_found(account_id)
            connection.execute(delete(sign_ins).where(sign_ins.c.account_id == account_id))

    def _remove(self, account_id: str) -> None:
        with failures(), self._writer.begin() as connection:
            if not connection.execute(delete(accounts).where(accounts.c.id == account_id)).rowcount:
                raise _not_found(account_id)

    def _add_key(self, account_id: str) -> str:
        known = select(accounts.c.id).where(accounts.c.id == account_id)
        with failures(), self._writer.begin() as connection:
            if connection.execute(known).first() is None:
                raise _not_found(account_id)
            return self._inserted_key(connection, account_id)

    def _inserted_key(self, connection: Connection, account_id: str) -> str:
        key_id = f"elq_{secrets.token_hex(4)}"
        key = f"{key_id}_{secrets.token_urlsafe(32)}"
        connection.execute(
            insert(api_keys).values(
                id=key_id, account_id=account_id, hash=_hash(key), created_at=self._now()
            )
        )
        return key

    def _revoke_key(self, key_id: str) -> None:
        with failures(), self._writer.begin() as connection:
            known = select(api_keys).where(api_keys.c.id == key_id)
            found = connection.execute(known).first()
            if found is None:
                raise AccountNotFoundError(
                    f"There is no key {key_id}.", mend="See: eloquence accounts list --keys."
                )
            if found.revoked_at is None:
                change = update(api_keys).where(api_keys.c.id == key_id)
                connection.execute(change.values(revoked_at=self._now()))

    def _keys(self, account_id: str) -> Sequence[ApiKey]:
        oldest = select(api_keys).where(api_keys.c.account_id == account_id)
        with failures(), self._engine.connect() as connection:
            rows = connection.execute(oldest.order_by(api_keys.c.created_at, api_keys.c.id)).all()
        return [
            ApiKey(row.id, row.account_id, row.created_at, row.used_at, row.revoked_at)
            for row in rows
        ]

    def _by_key(self, key: str) -> Account | None:
        key_id, hashed = key[: len("elq_01234567")], _hash(key)
        if not key_id.isascii() or not key_id.isprintable():
            return None
        valid = select(accounts, api_keys.c.hash, api_keys.c.used_at).join(
            api_keys, api_keys.c.account_id == accounts.c.id
        )
        with failures(), self._engine.connect() as connection:
            found = connection.execute(
                valid.where(
                    api_keys.c.id == key_id,
                    api_keys.c.revoked_at.is_(None),
                    accounts.c.disabled.is_(False),
                )
            ).first()
        if found is None or not hmac.compare_digest(found.hash, hashed):
            return None
        now = self._now()
        if found.used_at is None or now - found.used_at > NOTED:
            with failures(), self._writer.begin() as connection:
                connection.execute(
                    update(api_keys).where(api_keys.c.id == key_id).values(used_at=now)
                )
        return _account(found)

    def _sign_in(self, account_id: str) -> str:
        token, now = secrets.token_urlsafe(32), self._now()
        with failures(), self._writer.begin() as connection:
            connection.execute(delete(sign_ins).where(sign_ins.c.expires_at <= now))
            connection.execute(
                insert(sign_ins).values(
                    hash=_hash(token),
                    account_id=account_id,
                    created_at=now,
                    expires_at=now + SIGNED_IN,
                )
            )
        return token

    def _by_sign_in(self, token: str) -> Account | None:
        hashed, now = _hash(token), self._now()
        valid = _signed_in(hashed).where(
            sign_ins.c.expires_at > now, accounts.c.disabled.is_(False)
        )
        with failures(), self._engine.connect() as connection:
            # The index is searched by a hash: the time that takes tells nothing of the token.
            found = connection.execute(valid).first()
        if found is None:
            return None
        expires = min(now + SIGNED_IN, found.begun_at + LONGEST_SIGN_IN)
        if expires - found.expires_at > NOTED:
            with failures(), self._writer.begin() as connection:
                connection.execute(
                    update(sign_ins).where(sign_ins.c.hash == hashed).values(expires_at=expires)
                )
        return _account(found)

    def _sign_out(self, token: str) -> None:
        with failures(), self._writer.begin() as connection:
            connection.execute(delete(sign_ins).where(sign_ins.c.hash == _hash(token)))

    def _sign_out_everywhere(self, account_id: str) -> int:
        with failures(), self._writer.begin() as connection:
            of = delete(sign_ins).where(sign_ins.c.account_id == account_id)
            return connection.execute(of).rowcount


def _signed_in(hashed: str) -> Select[Any]:
    begun = sign_ins.c.created_at.label("begun_at")
    return (
        select(accounts, begun, sign_ins.c.expires_at)
        .join(sign_ins, sign_ins.c.account_id == accounts.c.id)
        .where(sign_ins.c.hash == hashed)
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        role=row.role,
        created_at=row.created_at,
        issuer=row.issuer or "",
        subject=row.subject or "",
        disabled=bool(row.disabled),
    )


def _not_found(wanted: str) -> AccountNotFoundError:
    return AccountNotFoundError(
        f"There is no account {wanted!r}.", mend="See: eloquence accounts list."
    )
