"""The parts of `docs/measures.md` and `docs/scores.md` that the content files and the code tell."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from eloquence.coaching.character import Language
from eloquence.coaching.exercise import Register
from eloquence.coaching.norms import MeasureNorm, Norms, Per, Points, Wider
from eloquence.delivery.tally import MEASURES
from eloquence.ops.scoring import score_lines
from eloquence.storage import content
from eloquence.storage.content import LANGUAGES

LIBRARY = content.load()
REGISTERS: tuple[Register, ...] = get_args(Register)
_UNITS: Mapping[Per, tuple[str, str]] = {
    "seconds": ("60 s", "s"),
    "ends": ("one end", "ends of statements"),
    "stretches": ("one stretch", "stretches"),
    "answers": ("one answer", "answers"),
    "turns": ("one turn", "turns"),
    "character_turns": ("one turn of the other", "turns of the other"),
}
_WIDTH = 96


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def number(value: float | None) -> str:
    return "" if value is None else f"{value:g}".replace("-", "−")


def norms_of(language: Language) -> Norms:
    return LIBRARY.norms(language)


def alike(name: str, told: Callable[[MeasureNorm], str]) -> str:
    """What the norms of both languages say of a measure; both where they differ."""
    french, english = (told(norms_of(language).measures[name]) for language in ("fr", "en"))
    return french if french == english else f"fr {french}, en {english}"


def measures() -> str:
    """Every measure with what it takes and how far it can be trusted."""
    assert set(norms_of("fr").measures) == set(norms_of("en").measures) == set(MEASURES)
    rows = []
    for name in MEASURES:
        norm = norms_of("en").measures[name]
        counting = [
            str(dimension)
            for dimension, one in norms_of("en").dimensions.items()
            if name in one.parts or any(name in parts for parts in one.registers.values())
        ]
        rows.append(
            (
                f"`{name}`",
                norm.label,
                norm.unit,
                alike(name, needs),
                alike(name, error),
                alike(name, by_ear),
                ", ".join(counting) or "shown only",
            )
        )
    head = ("Measure", "Label", "Unit", "Needs", "Standard error", "By ear", "Counts for")
    return table(head, rows)


def needs(norm: MeasureNorm) -> str:
    found = []
    if norm.least_seconds:
        found.append(f"{norm.least_seconds:g} s")
    if norm.least:
        found.append(f"{norm.least} {_UNITS[norm.per][1]}")
    return ", ".join(found)


def error(norm: MeasureNorm) -> str:
    if not norm.error:
        return ""
    size = f"{100 * norm.error:g} % of the value" if norm.relative else f"{norm.error:g}"
    counted = ", at least √value" if norm.counted else ""
    return f"{size} at {_UNITS[norm.per][0]}{counted}"


def by_ear(norm: MeasureNorm) -> str:
    if norm.by_ear is None:
        return "no"
    if not norm.by_ear:
        return "yes"
    return f"yes, +{100 * norm.by_ear:g} %" if norm.relative else f"yes, +{norm.by_ear:g}"


def bands(language: Language) -> str:
    """The six points of each band, with where they come from."""
    rows = []
    for name, norm in norms_of(language).measures.items():
        for register in REGISTERS:
            kinds = (("", norm.bands), (", hard questions", norm.hard))
            rows += [
                (f"`{name}`", register + kind, *points(given[register]), norm.source)
                for kind, given in kinds
                if register in given
            ]
    head = ("Measure", "Register", "0", "0.7", "1 from", "1 to", "0.7", "0", "Source")
    return table(head, rows)


def points(band: Points) -> list[str]:
    return [number(point) or "open" for point in band]


def learners() -> str:
    """By what factors the bands of a learner of the language are wider."""
    rows = []
    for name in MEASURES:
        low = alike(name, lambda one: f"{one.learner.low:g}")
        high = alike(name, lambda one: f"{one.learner.high:g}")
        if any(norms_of(one).measures[name].learner != Wider() for one in LANGUAGES):
            rows.append((f"`{name}`", low, high))
    return table(("Measure", "Lower side ×", "Upper side ×"), rows)


def dimensions(language: Language) -> str:
    """What each dimension is made of, in each register."""
    norms = norms_of(language)
    rows = []
    for name, one in norms.dimensions.items():
        measured = {
            register: applicable(one.registers.get(register, one.parts), norms, register)
            for register in REGISTERS
        }
        told = {register: weights(found) for register, found in measured.items()}
        if one.of:
            shared = " + ".join(f"{share:g} × {other}" for other, share in one.of.items())
            told = dict.fromkeys(REGISTERS, shared)
        kinds = {"both": told[REGISTERS[0]]} if len(set(told.values())) == 1 else told
        for register, parts in kinds.items():
            judged = one.judged if parts else 1.0
            rows.append(
                (
                    f"`{name}`",
                    one.label,
                    register,
                    parts or "none",
                    f"{judged:g}" if judged else "",
                    one.source,
                )
            )
    head = ("Dimension", "Label", "Register", "Measured part", "Judged part weighs", "Source")
    return table(head, rows)


def weights(parts: Mapping[str, float]) -> str:
    return ", ".join(f"`{part}` {weight:.2g}" for part, weight in parts.items())


def applicable(weights: Mapping[str, float], norms: Norms, register: Register) -> dict[str, float]:
    """The weights of the measures that have a band in a register, summing to 1."""
    kept = {name: one for name, one in weights.items() if register in norms.measures[name].bands}
    total = sum(kept.values())
    return {name: weight / total for name, weight in kept.items()}


def limits() -> str:
    """The figures of `Norms` that hold for every measure and dimension."""
    told: Mapping[str, str] = {
        "least_seconds": "seconds of speech below which nothing is scored",
        "least_words": "words below which nothing is scored, where there are words",
        "full_seconds": "seconds of speech below which a score is provisional",
        "least_voicing": "seconds of voice below which nothing is said of pitch",
        "least_coverage": "share of a dimension's weight that must be known",
        "soft_minimum": "weight of the worst part in a dimension",
    }
    rows = []
    for name, meaning in told.items():
        french, english = (f"{getattr(norms_of(language), name):g}" for language in ("fr", "en"))
        value = french if french == english else f"fr {french}, en {english}"
        rows.append((f"`{name}`", value, meaning))
    return table(("Figure", "Value", "What it is"), rows)


def exercises() -> str:
    """What each exercise that ships scores, and the rubric that its content is judged by."""
    rows = []
    for exercise in LIBRARY.exercises("en"):
        scored = ", ".join(str(one) for one in exercise.criteria.dimensions)
        rubric = LIBRARY.rubric(exercise.rubric, "en") if exercise.rubric else None
        criteria = [
            f"{one.label} ({one.dimension}{', by the measures' if one.delivery else ''})"
            for one in (rubric.criteria if rubric else ())
        ]
        rows.append(
            (f"`{exercise.id}`", exercise.register_, scored, f"`{exercise.rubric}`",
             "; ".join(criteria))
        )  # fmt: skip
    return table(("Exercise", "Register", "Dimensions", "Rubric", "Criteria"), rows)


def example(path: Path) -> str:
    """What `eloquence score` makes of the first line of a file, set for people to read."""
    line = path.read_bytes().splitlines()[0]
    (found,) = score_lines([line], path.parent, jobs=1)
    if found.failed:
        raise ValueError(f"{path}: {found.text}")
    parts = [f'"{name}": {laid_out(value)}' for name, value in json.loads(found.text).items()]
    return "```json\n{" + ",\n ".join(parts) + "}\n```\n"


def laid_out(value: Any) -> str:
    """JSON with its items side by side as long as they fit, objects in a list each on a line."""
    if isinstance(value, dict):
        items, edges = [f"{as_json(name)}: {as_json(one)}" for name, one in value.items()], "{}"
    elif isinstance(value, list):
        items, edges = [as_json(one) for one in value], "[]"
    else:
        return as_json(value)
    lines: list[str] = []
    for item in items:
        if lines and not item.startswith("{") and len(lines[-1]) + len(item) < _WIDTH:
            lines[-1] += f", {item}"
        else:
            lines.append(item)
    return edges[0] + ",\n   ".join(lines) + edges[1]


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def filled(text: str, parts: Mapping[str, str]) -> str:
    """A page with what stands between its marks written anew.

    A part begins at `<!-- generated: NAME -->` and ends at `<!-- end -->`. Raises KeyError for a
    name that nobody knows.
    """
    return re.sub(
        r"(<!-- generated: ([a-z ]+) -->\n).*?(?=<!-- end -->)",
        lambda found: f"{found[1]}\n{parts[found[2]]}\n",
        text,
        flags=re.DOTALL,
    )


def parts(docs: Path) -> dict[str, str]:
    """Every part by its name."""
    return {
        "measures": measures(),
        "learners": learners(),
        "bands fr": bands("fr"),
        "bands en": bands("en"),
        "dimensions fr": dimensions("fr"),
        "dimensions en": dimensions("en"),
        "limits": limits(),
        "exercises": exercises(),
        "example": example(docs / "examples" / "answers.jsonl"),
    }
