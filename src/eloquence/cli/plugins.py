"""`eloquence plugins`: which plugins are installed, and which take part."""

from typing import TYPE_CHECKING, Annotated

import typer

from eloquence.cli._shown import print_json, print_table

if TYPE_CHECKING:
    from eloquence.bootstrap.plugins import Figures
    from eloquence.config import PluginsSettings

app = typer.Typer(name="plugins", help="Plugins: list, add, remove.", no_args_is_help=True)

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="As `plugins list` shows it.")]
Named = Annotated[str | None, typer.Option("--name", metavar="NAME", help="The same.")]


@app.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the installed plugins, whether they take part, and their figures."""
    import asyncio

    from eloquence.bootstrap.plugins import Figures, figures
    from eloquence.config import load
    from eloquence.plugins.installed import installed
    from eloquence.storage.sessions import open_store

    settings = load()

    async def read() -> "list[Figures]":
        async with open_store(settings.database, settings.recordings) as store:
            return await figures(settings.plugins, store)

    known = {one.name: one for one in asyncio.run(read())}
    there = {one.name: f"{one.package} {one.version}".strip() for one in installed()}
    names = sorted({*there, *known})
    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "package": there.get(name),
                    **(known[name] if name in known else Figures(name)).as_json(),
                }
                for name in names
            ]
        )
        return
    print_table(
        ("plugin", "takes part", "calls", "failed", "late", "ms each"),
        (_row(name, there.get(name, "not installed"), known.get(name)) for name in names),
    )


def _row(name: str, package: str, known: "Figures | None") -> tuple[str, ...]:
    shown = f"{name}\n  {package}"  # the first column is never broken
    if known is None:
        return (shown, "no", "", "", "", "")
    state = "switched off, as it kept failing" if known.off else "yes" if known.enabled else "no"
    if known.slow:
        state += f", slow in {known.slow} conversations" if known.slow > 1 else ", slow in one"
    return (
        shown,
        state,
        str(known.calls),
        str(known.failures),
        str(known.timeouts),
        f"{1000 * known.seconds / known.calls:.1f}" if known.calls else "",
    )


@app.command("add")
def add_plugin(plugin: Name = None, name: Named = None) -> None:
    """Let a plugin take part in the conversations that begin from now on, also one that was
    switched off. It is tried first, in a process of its own."""
    import asyncio

    from eloquence.ops.plugins import enable, switch_on

    wanted = _wanted(plugin, name)
    about, settings = enable(wanted)
    asyncio.run(switch_on(settings, wanted))
    typer.echo(f"{wanted} takes part in the conversations that begin from now on.")
    if about.required:
        typer.echo(
            "It is a required filter: where it fails, the coach says a neutral line instead."
        )
    if about.keeps:
        typer.echo(f"It keeps, of learners who want that: {about.keeps}")
    _tell_overridden(settings.plugins, wanted, there=True)


@app.command("remove")
def remove_plugin(plugin: Name = None, name: Named = None) -> None:
    """Let a plugin take part no more. What it counted stays."""
    from eloquence.config import load
    from eloquence.ops.plugins import disable

    wanted = _wanted(plugin, name)
    if wanted not in load().plugins.enabled:
        typer.echo(f"{wanted} does not take part.")
        return
    settings = disable(wanted)
    typer.echo(f"{wanted} takes no part in the conversations that begin from now on.")
    _tell_overridden(settings.plugins, wanted, there=False)


def _wanted(plugin: str | None, name: str | None) -> str:
    wanted = plugin or name
    if wanted is None or (plugin and name and plugin != name):
        raise typer.BadParameter("Give the name of one plugin.")
    return wanted


def _tell_overridden(settings: "PluginsSettings", name: str, *, there: bool) -> None:
    """A variable counts more than the file that was changed."""
    if (name in settings.enabled) != there:
        typer.echo("A variable (ELOQUENCE_PLUGINS or ENABLED_PLUGINS) says otherwise.", err=True)
