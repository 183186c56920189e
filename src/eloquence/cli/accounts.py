"""`eloquence accounts`: who may use a server on which people sign in."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from eloquence.cli._shown import print_json, print_table

if TYPE_CHECKING:
    from eloquence.storage.accounts import Account, ApiKey
    from eloquence.storage.sessions import SqlSessionStore

T = TypeVar("T")

app = typer.Typer(
    name="accounts", help="Who may use a server on which people sign in.", no_args_is_help=True
)
keys = typer.Typer(name="keys", help="Keys of an account: add, revoke.", no_args_is_help=True)
app.add_typer(keys)

Wanted = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="Its id, or its name if no other has it.")
]


@app.command("add")
def add_account(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    role: Annotated[str, typer.Option(help="learner, author or operator.")] = "learner",
) -> None:
    """Add an account and print its first key, which is shown this once only."""
    from eloquence.storage.accounts import ROLES

    known = next((one for one in ROLES if one == role), None)
    if known is None:
        raise typer.BadParameter(f"{role!r} is not one of: {', '.join(ROLES)}.")
    if not name.strip():
        raise typer.BadParameter("A name has at least one letter.")
    account, key = _with_store(lambda store: store.accounts.add(name.strip(), known))
    typer.echo(f"Account {account.id} ({account.role}): {account.name}", err=True)
    _show_key(key)


@app.command("list")
def list_accounts(
    with_keys: Annotated[bool, typer.Option("--keys", help="List their keys instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the accounts, or their keys; never a key itself."""

    async def listed(store: "SqlSessionStore") -> "list[tuple[Account, list[ApiKey]]]":
        found = await store.accounts.list()
        return [(one, list(await store.accounts.keys(one.id))) for one in found]

    found = _with_store(listed)
    if as_json:
        print_json([_account(one, of) for one, of in found])
    elif not found:
        typer.echo("There is no account yet. Add one with: eloquence accounts add NAME")
    elif with_keys:
        print_table(
            ("key", "account", "made", "last used", "revoked"),
            (
                (key.id, one.name, _when(key.created_at), _when(key.used_at), _when(key.revoked_at))
                for one, of in found
                for key in of
            ),
        )
    else:
        print_table(
            ("id", "name", "role", "since", "signs in with", ""),
            (
                (
                    one.id,
                    one.name,
                    one.role,
                    _when(one.created_at),
                    one.issuer or "key",
                    "disabled" if one.disabled else "",
                )
                for one, _ in found
            ),
        )


@app.command("disable")
def disable_account(account: Wanted) -> None:
    """Shut an account out: its keys no longer serve, its browsers are signed out, and what it has
    live in rooms is ended."""

    async def disabled(store: "SqlSessionStore") -> "Account":
        found = await store.accounts.find(account)
        await _shut_out(store, found)
        return found

    found = _with_store(disabled)
    typer.echo(f"Account {found.id} ({found.name}) is disabled.")


@app.command("enable")
def enable_account(account: Wanted) -> None:
    """Let an account that was disabled in again."""

    async def enabled(store: "SqlSessionStore") -> "Account":
        found = await store.accounts.find(account)
        await store.accounts.disable(found.id, disabled=False)
        return found

    found = _with_store(enabled)
    typer.echo(f"Account {found.id} ({found.name}) is enabled.")


@app.command("sign-out")
def sign_out(account: Wanted) -> None:
    """Sign an account out of every browser. Its keys still serve."""

    async def signed_out(store: "SqlSessionStore") -> int:
        found = await store.accounts.find(account)
        return await store.accounts.sign_out_everywhere(found.id)

    typer.echo(f"Signed out of {_with_store(signed_out)} browser(s).")


@app.command("delete")
def delete_account(
    account: Wanted,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete an account with all its conversations, reports and sound, for good."""
    import asyncio

    async def erased(store: "SqlSessionStore") -> tuple["Account", int]:
        found = await store.accounts.find(account)
        if not yes:
            question = f"Delete account {found.id} ({found.name}) and all its conversations?"
            await asyncio.to_thread(typer.confirm, question, abort=True)
        await _shut_out(store, found)
        return found, await store.erase(found.id)

    found, sessions = _with_store(erased)
    typer.echo(f"Account {found.id} is deleted, with {sessions} conversation(s).")


@keys.command("add")
def add_key(account: Wanted) -> None:
    """Add another key to an account and print it, this once only."""

    async def added(store: "SqlSessionStore") -> str:
        found = await store.accounts.find(account)
        return await store.accounts.add_key(found.id)

    _show_key(_with_store(added))


@keys.command("revoke")
def revoke_key(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="As `eloquence accounts list --keys` shows it.")
    ],
) -> None:
    """Make a key useless, for good."""
    _with_store(lambda store: store.accounts.revoke_key(key))
    typer.echo(f"Key {key} is revoked.")


def _with_store(work: "Callable[[SqlSessionStore], Awaitable[T]]") -> T:
    import asyncio

    from eloquence.config import load
    from eloquence.storage.sessions import open_store

    settings = load()

    async def worked() -> T:
        async with open_store(settings.database, settings.recordings) as store:
            return await work(store)

    return asyncio.run(worked())


async def _shut_out(store: "SqlSessionStore", account: "Account") -> None:
    """Disables an account, and ends its live sessions in rooms with those rooms."""
    from eloquence.bootstrap.current import Current
    from eloquence.bootstrap.rooms import open_rooms
    from eloquence.config import load
    from eloquence.storage import content

    settings = load()
    await store.accounts.disable(account.id)
    if settings.in_rooms:
        async with open_rooms(Current(settings), content.load(settings.content), store) as rooms:
            await rooms.end_all(account)
    else:  # their coaches leave by themselves
        await store.requests.finish_all(account.id, "interrupted", "operator")


def _show_key(key: str) -> None:
    typer.echo(key)
    typer.echo("This is the key; it is not shown again.", err=True)


def _account(account: "Account", of: "list[ApiKey]") -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(account), "keys": [asdict(key) for key in of]}


def _when(posix: float | None) -> str:
    from datetime import UTC, datetime

    if posix is None:
        return ""
    return datetime.fromtimestamp(posix, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
