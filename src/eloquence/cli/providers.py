"""`eloquence providers`: who could serve each stage, and who shall (PRV-03 to PRV-05, X-30).

The spellings of `manage_agents.py` (`change-llm`, `list-providers`, …) do the same.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from eloquence.cli.config import AsJson

if TYPE_CHECKING:
    from eloquence.coaching.character import Language
    from eloquence.config import StageSettings
    from eloquence.ops.engines import Described, Offer
    from eloquence.ops.settings_file import Wanted
    from eloquence.registry import Provider, Readiness, Stage

app = typer.Typer(help="Who hears, answers and speaks: list, choose.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="PROVIDER", help="As `list` prints it, or auto.")]
Model = Annotated[str, typer.Argument(metavar="[MODEL]", help="The provider's own when left out.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Another option; KEY= takes it away."),
]
Fallback = Annotated[
    list[str] | None,
    typer.Option("--fallback", metavar="PROVIDER", help="Who takes over, in order."),
]
NoFallback = Annotated[bool, typer.Option("--no-fallback", help="Nobody who was named takes over.")]
Check = Annotated[bool, typer.Option("--check", help="Ask the vendor over the network too.")]
Voice = Annotated[str, typer.Option(help="A voice of that provider.")]


@app.command("list")
def list_providers(
    stage: Annotated[str, typer.Argument(metavar="[stt|llm|tts]", help="Only this stage.")] = "",
    check: Check = False,
    as_json: AsJson = False,
) -> None:
    """List the providers of each stage: whether they are ready, and where words go."""
    from eloquence.cli._shown import print_json, print_table
    from eloquence.config import load
    from eloquence.ops import engines
    from eloquence.registry import STAGES

    settings = load()
    language = engines.spoken(settings)
    stages = [_stage(stage)] if stage else list(STAGES)
    found = {one: engines.described(settings, one) for one in stages}
    if as_json:
        print_json(
            {
                one: [
                    {
                        "provider": offer.provider,
                        "chosen": offer.provider == told.chosen.serves[language],
                        "installed": offer.installed,
                        "languages": list(offer.languages) or list(engines.LANGUAGES),
                        **_told(_as_it_is(told, offer, language)),
                        "options": [option.name for option in offer.options if not option.secret],
                    }
                    for offer in told.offers
                ]
                for one, told in found.items()
            }
        )
        return
    for one, told in found.items():
        rows, lacking = [], []
        for offer in told.offers:
            readiness = _as_it_is(told, offer, language)
            names = [told.chosen.serves[language], *(each.provider for each in told.fallback)]
            rows.append(
                (
                    offer.provider,
                    _place(offer.provider, names),
                    "yes" if offer.installed else "no",
                    "yes" if readiness.ready else "no",
                    ", ".join(
                        known
                        for known in engines.LANGUAGES
                        if not offer.languages or known in offer.languages
                    ),
                    readiness.leaves_machine or ("stays here" if readiness.ready else ""),
                )
            )
            if not readiness.ready:
                lacking.append(f"  {offer.provider}: {readiness.mend or readiness.detail}")
        heads = ("provider", "", "installed", "ready", "languages", "words go to")
        print_table(heads, rows, title=one)
        # Below the table: names of variables and commands are there to be copied.
        typer.echo("\n".join(["  What to do:", *lacking, ""] if lacking else [""]))
        if check:
            _checked(one)


@app.command("use")
def use(
    stage: Annotated[str, typer.Argument(metavar="stt|llm|tts", help="The stage.")],
    provider: Name,
    model: Model = "",
    voice: Voice = "",
    option: Options = None,
    fallback: Fallback = None,
    no_fallback: NoFallback = False,
    check: Check = False,
) -> None:
    """Choose who serves a stage, in eloquence.toml. The next conversation has it, without a
    restart; those that go on keep theirs."""
    chosen = _stage(stage)
    _use(chosen, provider, model, voice, option or [], [] if no_fallback else fallback, check)


def change_llm(
    provider: Name,
    model: Model = "",
    option: Options = None,
    fallback: Fallback = None,
    check: Check = False,
) -> None:
    """The same as `providers use llm` (PRV-04)."""
    _use("llm", provider, model, "", option or [], fallback, check)


def change_tts(
    provider: Name,
    model: Model = "",
    voice: Voice = "",
    option: Options = None,
    fallback: Fallback = None,
    check: Check = False,
) -> None:
    """The same as `providers use tts` (PRV-05)."""
    _use("tts", provider, model, voice, option or [], fallback, check)


def change_stt(
    provider: Name,
    model: Model = "",
    option: Options = None,
    fallback: Fallback = None,
    check: Check = False,
) -> None:
    """The same as `providers use stt` (X-30)."""
    _use("stt", provider, model, "", option or [], fallback, check)


def _use(
    stage: "Stage",
    name: str,
    model: str,
    voice: str,
    given: list[str],
    fallback: list[str] | None,
    check: bool,
) -> None:
    from eloquence import sources
    from eloquence.cli.config import lacking
    from eloquence.ops import engines
    from eloquence.ops.settings_file import Wanted

    known = engines.settings_of_file(stage)
    options = _options(stage, name, model, voice, given, known)
    wanted = Wanted(name, options)
    if fallback is None:
        others = [_as_wanted(stage, one) for one in known.fallback]
        others = [one for one in others if one.as_fallback() != wanted.as_fallback()]
    else:
        others = [Wanted(each.strip()) for one in fallback for each in one.split(",")]
    changed = engines.use(stage, Wanted(name, options, tuple(others)))
    language = engines.spoken(changed.settings)
    words = [f"{key} {value}" for key, value in engines.shown(options, name, stage).items()]
    told = f" ({', '.join(words)})" if words else ""
    if others:
        told += f", then {', '.join(one.provider for one in others)}"
    typer.echo(f"{stage}: {name}{told}. Written to {sources.settings_file()}.")
    for warning in changed.warnings:
        typer.echo(f"! {warning.message}", err=True)
    missing = lacking([changed.described], language)
    for line in missing:
        typer.echo(line, err=True)
    if not missing:
        readiness = changed.described.chosen.readiness[language]
        typer.echo(readiness.detail)
    if check:
        _check(stage)


def _check(stage: "Stage") -> None:
    """Asks the vendors, and ends with 8 when the chosen one does not serve."""
    from eloquence.cli import EXITS
    from eloquence.errors import ProviderError

    if not _checked(stage):
        raise typer.Exit(dict(EXITS)[ProviderError])


def _checked(stage: "Stage") -> bool:
    """Asks the vendors of a stage and tells what they say; whether the chosen one serves."""
    import asyncio

    from eloquence.config import load
    from eloquence.ops import engines

    settings = load()
    found = asyncio.run(engines.probed(settings, stage))
    ready = []
    for name, told in found.items():
        readiness = told[engines.spoken(settings)]
        ready.append(readiness.ready)
        typer.echo(f"{'✓' if readiness.ready else '✗'} {name}: {readiness.detail}")
        if not readiness.ready and readiness.mend:
            typer.echo(f"    → {readiness.mend}")
    return ready[0]


def _options(
    stage: "Stage", name: str, model: str, voice: str, given: list[str], known: "StageSettings"
) -> dict[str, object]:
    """The options of a provider: those of the file when it stays, then what was given."""
    from eloquence import registry
    from eloquence.errors import ConfigurationError
    from eloquence.ops import engines

    pairs = [("model", model), ("voice", voice)]
    asked = {key: value for key, value in pairs if value}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"{one!r} is not KEY=VALUE.", param_hint="--option")
        asked[key.strip()] = value.strip()
    if name == "auto":
        if asked:
            raise ConfigurationError(
                "'auto' takes no options.", mend="Name the provider that they are for."
            )
        return {}
    provider: Provider = registry.provider(stage, name)
    options = dict(_as_wanted(stage, known).options) if known.provider == name else {}
    for key, value in asked.items():
        if value:
            options[key] = engines.typed(provider, key, value)
        else:
            options.pop(key, None)
    return options


def _as_wanted(stage: "Stage", known: "StageSettings") -> "Wanted":
    """What the file says, without secrets, which stay in it by themselves."""
    from eloquence.ops import engines
    from eloquence.ops.settings_file import Wanted

    if known.provider == "auto":
        return Wanted("auto")
    return Wanted(known.provider, engines.rewritable(known.options, known.provider, stage))


def _stage(name: str) -> "Stage":
    from eloquence.registry import STAGES

    found = next((stage for stage in STAGES if stage == name.lower()), None)
    if found is None:
        raise typer.BadParameter(f"{name!r} is not one of: {', '.join(STAGES)}.")
    return found


def _as_it_is(told: "Described", offer: "Offer", language: "Language") -> "Readiness":
    """Whether a provider is ready: with its options, when it serves; else without any."""
    for engine in (told.chosen, *told.fallback):
        if engine.serves[language] == offer.provider:
            return engine.readiness[language]
    return offer.readiness[language]


def _place(name: str, names: list[str]) -> str:
    if name not in names:
        return ""
    return "chosen" if name == names[0] else f"fallback {names.index(name)}"


def _told(readiness: "Readiness") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(readiness)
