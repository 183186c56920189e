"""`eloquence accounts`."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.takes import keep, session

from eloquence.config import load
from eloquence.storage.accounts import Account
from eloquence.storage.sessions import SqlSessionStore, open_store

Run = Any


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_DATA", str(tmp_path))


def stored(work: Any) -> Any:
    """What is done with the store that the command uses."""

    async def done() -> Any:
        settings = load()
        async with open_store(settings.database, settings.recordings) as store:
            return await work(store)

    return asyncio.run(done())


def of_key(key: str) -> Account | None:
    found: Account | None = stored(lambda store: store.accounts.by_key(key))
    return found


def test_a_key_is_printed_alone_so_that_it_can_be_piped(run: Run) -> None:
    ran = run("accounts", "add", "Ada", "--role", "operator")
    assert ran.status == 0
    key = ran.out.strip()
    assert "\n" not in key
    assert "not shown again" in ran.err
    account = of_key(key)
    assert account is not None
    assert (account.name, account.role) == ("Ada", "operator")
    assert account.id in ran.err


def test_a_role_that_is_none_and_an_empty_name_are_refused(run: Run) -> None:
    refused = run("accounts", "add", "Ada", "--role", "king")
    assert refused.status == 2
    assert "learner, author, operator" in refused.err
    assert run("accounts", "add", "  ").status == 2
    assert "no account yet" in run("accounts", "list").out


def test_the_list_names_accounts_and_the_beginnings_of_keys_alone(run: Run) -> None:
    key = run("accounts", "add", "Ada [bold]").out.strip()
    shown = run("accounts", "list").out
    assert "Ada [bold]" in shown
    assert "learner" in shown
    keys = run("accounts", "list", "--keys").out
    assert key[:12] in keys
    everything = json.loads(run("accounts", "list", "--json").out)
    assert everything[0]["keys"][0]["id"] == key[:12]
    for told in (shown, keys, json.dumps(everything)):
        assert key[13:] not in told


def test_keys_are_added_and_revoked(run: Run) -> None:
    first = run("accounts", "add", "Ada").out.strip()
    second = run("accounts", "keys", "add", "Ada").out.strip()
    assert run("accounts", "keys", "revoke", first[:12]).status == 0
    assert of_key(first) is None
    assert of_key(second) is not None
    unknown = run("accounts", "keys", "revoke", "elq_00000000")
    assert unknown.status == 5
    assert "accounts list --keys" in unknown.err


def test_an_account_is_disabled_enabled_and_signed_out(run: Run) -> None:
    key = run("accounts", "add", "Ada").out.strip()
    account = of_key(key)
    assert account is not None
    token = stored(lambda store: store.accounts.sign_in(account.id))
    assert "1 browser" in run("accounts", "sign-out", "Ada").out
    assert stored(lambda store: store.accounts.by_sign_in(token)) is None
    assert run("accounts", "disable", account.id).status == 0
    assert "disabled" in run("accounts", "list").out
    assert of_key(key) is None
    assert run("accounts", "enable", account.id).status == 0
    assert of_key(key) == account
    assert run("accounts", "disable", "Bob").status == 5


def test_an_account_that_is_disabled_holds_no_conversation_any_more(run: Run) -> None:
    account = of_key(run("accounts", "add", "Ada").out.strip())
    assert account is not None

    async def asked(store: SqlSessionStore) -> None:
        await store.requests.add(session("s0"), learner=account.id, room="s_0", request="{}")

    stored(asked)
    assert run("accounts", "disable", "Ada").status == 0
    end = stored(lambda store: store.get("s0")).end
    assert (end.status, end.reason) == ("interrupted", "operator")
    assert stored(lambda store: store.pulses()) == []


def test_a_deleted_account_leaves_nothing_and_takes_nothing_of_others(run: Run) -> None:
    """GDPR: erasure."""
    ids = []
    for name in ("Ada", "Bob"):
        account = of_key(run("accounts", "add", name).out.strip())
        assert account is not None
        ids.append(account.id)

    async def talked(store: SqlSessionStore) -> None:
        for number, learner in enumerate([ids[0], ids[0], ids[1]]):
            await keep(store, session(f"s{number}"), learner=learner)

    stored(talked)
    ran = run("accounts", "delete", "Ada", "--yes")
    assert "2 conversation" in ran.out
    assert "Ada" not in run("accounts", "list").out
    kept = stored(lambda store: store.list(learner=ids[1]))
    assert [one.session.id for one in kept] == ["s2"]
    assert stored(lambda store: store.list(learner=ids[0])) == []


def test_an_account_is_not_deleted_unless_that_is_confirmed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    run("accounts", "add", "Ada")
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert run("accounts", "delete", "Ada").status == 1
    assert "Ada" in run("accounts", "list").out
