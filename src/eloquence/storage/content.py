"""Exercises, characters and rubrics, read from YAML: those that ship, and the author's own.

A folder of content holds `<language>/exercises/*.yaml`, `<language>/characters/*.yaml` and
`<language>/rubrics/*.yaml`. The author's file replaces the shipped one of the same id. A wrong
file never hides the right ones: it is left out, and says why in `Library.problems`, with its line
and what to do.
"""

import difflib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from eloquence.coaching.character import DEFAULT_CHARACTER, Character, Language
from eloquence.coaching.exercise import Exercise
from eloquence.coaching.lines import Lines
from eloquence.coaching.rubric import Rubric
from eloquence.errors import ContentError

if TYPE_CHECKING:
    from eloquence.coaching.lexicon import Lexicon
    from eloquence.coaching.norms import Norms
    from eloquence.coaching.phrases import Phrases

LANGUAGES: tuple[Language, ...] = get_args(Language)
SHIPPED = Path(__file__).resolve().parent.parent / "content"
MAX_BYTES = 256 * 1024

_log = logging.getLogger(__name__)
M = TypeVar("M", bound=BaseModel)
C = TypeVar("C", Exercise, Character, Rubric)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as read: plain values, and where each key or item stands, lines from 1."""

    path: Path
    values: dict[str, Any]
    lines: Mapping[tuple[str | int, ...], int]

    def line(self, where: Sequence[str | int]) -> int:
        """The line of the deepest part of `where` that is in the file, whatever its spelling."""
        found: tuple[str | int, ...] = ()
        for part in where:
            names = (part, *_OTHER_NAMES.get(str(part), ()))
            found = next(((*found, name) for name in names if (*found, name) in self.lines), found)
        return self.lines.get(found, 1)


@dataclass(frozen=True)
class Library:
    """What can be practised and with whom, in each language.

    `folders` are read in order; a later one replaces what an earlier one has under the same id.
    Files are read when their language is first asked for.
    """

    folders: tuple[Path, ...]
    _shelves: dict[Language, "_Shelf"] = field(default_factory=dict, repr=False, compare=False)
    _tables: dict[tuple[Language, str], Any] = field(
        default_factory=dict, repr=False, compare=False
    )

    def exercise(self, exercise_id: str, language: Language) -> Exercise:
        """The exercise of that id. Raises ContentError, naming the nearest id."""
        known = self._shelf(language).exercises
        if exercise_id in known:
            return known[exercise_id]
        elsewhere = [
            other
            for other in LANGUAGES
            if other != language and exercise_id in self._shelf(other).exercises
        ]
        if elsewhere:
            mend = f"It exists in: {', '.join(elsewhere)}."
        else:
            mend = _suggestion(exercise_id, sorted(known), "Exercises")
        raise ContentError(f"There is no exercise {exercise_id!r} in {language!r}.", mend=mend)

    def exercises(self, language: Language) -> tuple[Exercise, ...]:
        """All exercises of a language, easiest first, then by id."""
        order = ("beginner", "intermediate", "advanced")
        return tuple(
            sorted(
                self._shelf(language).exercises.values(),
                key=lambda exercise: (order.index(exercise.difficulty), exercise.id),
            )
        )

    def character(self, character_id: str, language: Language) -> Character:
        """The character of that id; `marie_coach`, with a warning, for an unknown one (CHR-07)."""
        known = self._shelf(language).characters
        if character_id not in known:
            _log.warning(
                "unknown character, %s takes the part",
                DEFAULT_CHARACTER,
                extra={"character": character_id, "language": language},
            )
            return known[DEFAULT_CHARACTER]
        return known[character_id]

    def characters(self, language: Language) -> tuple[Character, ...]:
        """All characters of a language, by id."""
        known = self._shelf(language).characters
        return tuple(known[name] for name in sorted(known))

    def rubric(self, rubric_id: str, language: Language) -> Rubric:
        """The rubric of that id. Raises ContentError, naming the nearest id."""
        known = self._shelf(language).rubrics
        if rubric_id not in known:
            raise ContentError(
                f"There is no rubric {rubric_id!r} in {language!r}.",
                mend=_suggestion(rubric_id, sorted(known), "Rubrics"),
            )
        return known[rubric_id]

    def rubrics(self, language: Language) -> tuple[Rubric, ...]:
        """All rubrics of a language, by id."""
        known = self._shelf(language).rubrics
        return tuple(known[name] for name in sorted(known))

    def norms(self, language: Language) -> "Norms":
        """The bands that scores are read from. Raises ContentError."""
        from eloquence.coaching.norms import Norms

        return self._table(language, "norms", Norms)

    def lexicon(self, language: Language) -> "Lexicon":
        """Fillers, hedges and other word lists. Raises ContentError."""
        from eloquence.coaching.lexicon import Lexicon

        return self._table(language, "lexicon", Lexicon)

    def phrases(self, language: Language) -> "Phrases":
        """The sentences that feedback is made of. Raises ContentError."""
        from eloquence.coaching.phrases import Phrases

        return self._table(language, "feedback", Phrases)

    def lines(self, language: Language) -> Lines:
        """What any character may have to say or to recognise. Raises ContentError."""
        return self._table(language, "lines", Lines)

    @cached_property
    def problems(self) -> tuple[ContentError, ...]:
        """Everything that is wrong in the files, in the order in which they are read."""
        absent = (
            ContentError(
                f"{folder}: there is no such folder of content.",
                mend="Make it, or correct ELOQUENCE_CONTENT.",
            )
            for folder in self.folders
            if not folder.is_dir()
        )
        found = (error for name in LANGUAGES for error in self._shelf(name).problems)
        return (*absent, *found)

    def _shelf(self, language: Language) -> "_Shelf":
        if language not in self._shelves:
            self._shelves[language] = _shelf(self.folders, language)
        return self._shelves[language]

    def _table(self, language: Language, name: str, model: type[M]) -> M:
        known: M | None = self._tables.get((language, name))
        if known is not None:
            return known
        for folder in reversed(self.folders):
            path = folder / language / f"{name}.yaml"
            if path.is_file():
                read = validated(document(path), model)
                self._tables[language, name] = read
                return read
        raise ContentError(f"There is no {name}.yaml for {language!r}.")


@dataclass(slots=True)
class _Shelf:
    exercises: dict[str, Exercise] = field(default_factory=dict)
    characters: dict[str, Character] = field(default_factory=dict)
    rubrics: dict[str, Rubric] = field(default_factory=dict)
    problems: list[ContentError] = field(default_factory=list)


def load(own: Path | None = None) -> Library:
    """The shipped content, with the author's own folder over it."""
    return Library((SHIPPED,) if own is None else (SHIPPED, own))


def document(path: Path) -> Document:
    """The file as plain values with lines. Raises ContentError: absent, too big, not YAML,
    a repeated key, an alias or a tag, or no mapping at the top."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ContentError(
                f"{path}: the file has {size} bytes.",
                mend=f"A content file has at most {MAX_BYTES} bytes: shorten it or split it.",
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ContentError(
            f"{path}: the file cannot be read ({error.strerror}).",
            mend="Check its name and its permissions.",
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _wrong(path, line, "this is not UTF-8.", "Save the file as UTF-8.") from error
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        cause = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise _wrong(
            path,
            mark.line + 1 if mark is not None else 1,
            f"this is not YAML: {cause}.",
            "Check the indentation; put a text that holds ': ' or begins with a sign in quotes.",
        ) from error
    except YAMLError as error:
        raise _wrong(
            path, 1, "this is not YAML: a character is not allowed.", "Remove control characters."
        ) from error
    except RecursionError as error:
        raise _wrong(path, 1, "the lists are nested too deep.", "Close the brackets.") from error
    if not isinstance(root, MappingNode):
        raise _wrong(
            path, 1, "the file holds no keys.", "Start from the example in docs/authors.md."
        )
    lines: dict[tuple[str | int, ...], int] = {}
    return Document(path, _value(root, path, (), lines), lines)


def validated(source: Document, model: type[M]) -> M:
    """The document as a value of the domain. Raises ContentError for its first fault."""
    try:
        return model.model_validate(source.values)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise _fault(source, model, faults[0]) from error


def problems(path: Path, library: Library) -> tuple[ContentError, ...]:
    """Everything wrong in a file or a folder of content, read over `library`.

    A single file is what its folder says; elsewhere it is an exercise when it has `scenarios`, a
    rubric when it has `criteria` and none, a character otherwise. An empty folder is a problem too:
    the author meant another one.
    """
    if path.is_dir():
        if not any(path.glob("*/*/*.yaml")):
            return (
                ContentError(
                    f"{path}: there is no content in this folder.",
                    mend="It holds fr/exercises/*.yaml, fr/characters/*.yaml, fr/rubrics/*.yaml, "
                    "and the same for en.",
                ),
            )
        others = tuple(each for each in library.folders if each.resolve() != path.resolve())
        elsewhere = set(map(str, Library(others).problems))
        checked = Library((*others, path)).problems
        return tuple(error for error in checked if str(error) not in elsewhere)
    try:
        source = document(path)
    except ContentError as error:
        return (error,)
    model = _kind(source)
    found = list(_faults(source, model))
    if not found and model is Exercise:
        exercise = validated(source, Exercise)
        shelf = library._shelf(exercise.language)
        beside = path.parent.parent
        characters = {other.stem for other in beside.glob("characters/*.yaml")}
        rubrics = {other.stem for other in beside.glob("rubrics/*.yaml")}
        found.extend(
            _strangers(
                source, exercise, characters | set(shelf.characters), rubrics | set(shelf.rubrics)
            )
        )
        found.extend(_unweighable(source, exercise, library.folders))
    return tuple(found)


def _kind(source: Document) -> type[Exercise] | type[Rubric] | type[Character]:
    """What a single file is."""
    match _folder(source.path):
        case "exercises":
            return Exercise
        case "rubrics":
            return Rubric
        case "characters":
            return Character
    if "scenarios" in source.values:
        return Exercise
    return Rubric if "criteria" in source.values else Character


def _shelf(folders: Sequence[Path], language: Language) -> _Shelf:
    shelf = _Shelf()
    for folder in folders:
        characters = _read(folder / language / "characters", Character, shelf)
        shelf.characters.update({value.id: value for _, value in characters})
        rubrics = _read(folder / language / "rubrics", Rubric, shelf)
        shelf.rubrics.update({value.id: value for _, value in rubrics})
        for source, exercise in _read(folder / language / "exercises", Exercise, shelf):
            strangers = [
                *_strangers(source, exercise, set(shelf.characters), set(shelf.rubrics)),
                *_unweighable(source, exercise, folders),
            ]
            shelf.problems.extend(strangers)
            if not strangers:
                shelf.exercises[exercise.id] = exercise
    return shelf


def _read(folder: Path, model: type[C], shelf: _Shelf) -> list[tuple[Document, C]]:
    """The right files of one folder; what is wrong with the others goes to the shelf."""
    found: dict[str, tuple[Document, C]] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            source = document(path)
        except ContentError as error:
            shelf.problems.append(error)
            continue
        faults = list(_faults(source, model))
        if faults:
            shelf.problems.extend(faults)
            continue
        value = validated(source, model)
        if value.id in found:
            shelf.problems.append(
                _wrong(
                    path,
                    source.line(["id"]),
                    f"the id {value.id!r} is taken by {found[value.id][0].path.name}.",
                    "Give one of the two another id.",
                )
            )
            continue
        found[value.id] = (source, value)
    return list(found.values())


def _faults(
    source: Document, model: type[Exercise] | type[Rubric] | type[Character]
) -> Iterator[ContentError]:
    """Every fault of one file against its type, and against the language of its folder."""
    folder = source.path.resolve().parent.parent.name
    if folder in LANGUAGES and source.values.get("language", folder) != folder:
        yield _wrong(
            source.path,
            source.line(["language"]),
            f"the language is {source.values['language']!r} in a folder of {folder!r}.",
            f"Write 'language: {folder}', or move the file to the other language's folder.",
        )
    try:
        model.model_validate(source.values)
    except ValidationError as error:
        for detail in _causes(model, error.errors(include_url=False)):
            yield _fault(source, model, detail)


def _causes(model: type[BaseModel], details: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """The details without those that only follow from another one."""
    meant = set()
    for detail in details:
        *parent, key = detail["loc"] or ("",)
        if detail["type"] == "extra_forbidden":
            meant.add((*parent, _nearest(str(key), _keys(model, parent))))
    for detail in details:
        misspelt = detail["type"] == "missing" and detail["loc"] in meant
        # A list whose items are wrong is also reported as empty.
        emptied = detail["type"] == "too_short" and len(detail["input"]) > 0
        if not misspelt and not emptied:
            yield detail


def _strangers(
    source: Document, exercise: Exercise, characters: set[str], rubrics: set[str]
) -> Iterator[ContentError]:
    """Who or what the exercise names and nobody knows."""
    named = [("character", exercise.character, characters, "Characters")]
    if exercise.rubric is not None:
        named.append(("rubric", exercise.rubric, rubrics, "Rubrics"))
    for key, name, known, label in named:
        if name not in known:
            yield _wrong(
                source.path,
                source.line([key]),
                f"there is no {key} {name!r} in {exercise.language!r}.",
                _suggestion(name, sorted(known), label),
            )


def _unweighable(
    source: Document, exercise: Exercise, folders: Sequence[Path]
) -> Iterator[ContentError]:
    """The measures that the exercise weighs and the norms cannot score."""
    if not exercise.criteria.parts:
        return
    from eloquence.coaching.profiles import faults

    for fault in faults(Library(tuple(folders)).norms(exercise.language), exercise):
        mend = _suggestion(fault.measure, fault.known, "Measures")
        yield _wrong(source.path, source.line(fault.where), f"{fault}.", mend)


def _fault(source: Document, model: type[BaseModel], detail: ErrorDetails) -> ContentError:
    where = detail["loc"]
    name = ".".join(str(part) for part in where) or "the file"
    kind = detail["type"]
    line = source.line(where)
    if kind == "extra_forbidden":
        keys = _keys(model, where[:-1])
        return _wrong(
            source.path, line, f"the key {name!r} is not known.", _suggestion(str(where[-1]), keys)
        )
    if kind == "missing":
        return _wrong(source.path, line, f"the key {name!r} is missing.", f"Add '{where[-1]}: …'.")
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
        given = str(detail["input"])
        return _wrong(
            source.path,
            line,
            f"{name} cannot be {given!r}.",
            _suggestion(given, allowed, "Allowed"),
        )
    if kind == "string_pattern_mismatch" and name.endswith(("id", "character", "rubric")):
        return _wrong(
            source.path,
            line,
            f"{name} cannot be {str(detail['input'])!r}.",
            "An id has lower-case letters, digits and _ only, and begins with a letter.",
        )
    if kind == "string_type" and isinstance(detail["input"], dict):
        return _wrong(
            source.path, line, f"{name} holds ': ', which YAML reads as a key.", "Put it in quotes."
        )
    cause = detail["msg"].removeprefix("Value error, ")
    return _wrong(
        source.path,
        line,
        f"{name}: {cause[:1].lower()}{cause[1:]}.",
        "docs/authors.md says what this key takes.",
    )


def _wrong(path: Path, line: int, cause: str, mend: str) -> ContentError:
    return ContentError(f"{path}, line {line}: {cause}", mend=mend)


def _nearest(given: str, known: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(given, known, n=1, cutoff=0.5)), None)


def _suggestion(given: str, known: Sequence[str], label: str = "Keys") -> str:
    nearest = _nearest(given, known)
    listed = f"{label}: {', '.join(known)}."
    return listed if nearest is None else f"Did you mean {nearest!r}? {listed}"


def _folder(path: Path) -> str:
    return path.resolve().parent.name


_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("exercise_id",),
    "duration_minutes": ("duration",),
    "criteria": ("evaluation_focus", "evaluation"),
    "passing_score": ("passingScore",),
    "focus_areas": ("focusAreas",),
}


def _value(
    node: Node, path: Path, where: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]
) -> Any:
    """The node as a plain value; notes the line of every key and item in `lines`.

    Anchors are refused because aliases can make a small file huge, tags because they can make
    objects; content needs neither.
    """
    line = node.start_mark.line + 1
    if node.anchor is not None:
        raise _wrong(
            path,
            line,
            "anchors (&) and aliases (*) are not read.",
            "Write the text out, or put it in quotes if the sign belongs to it.",
        )
    if str(node.tag) not in _TAGS:
        raise _wrong(
            path,
            line,
            f"the tag {str(node.tag)!r} is not read.",
            "Put the text in quotes if the ! belongs to it.",
        )
    if isinstance(node, MappingNode):
        values: dict[str, Any] = {}
        for key_node, item in node.value:
            key = str(key_node.value)
            at = key_node.start_mark.line + 1
            if key in values:
                raise _wrong(path, at, f"the key {key!r} is given twice.", "Keep one of the two.")
            lines[(*where, key)] = at
            values[key] = _value(item, path, (*where, key), lines)
        return values
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*where, index)] = item.start_mark.line + 1
        return [_value(item, path, (*where, i), lines) for i, item in enumerate(node.value)]
    return _scalar(str(node.tag), str(node.value))


_TAG = "tag:yaml.org,2002:"
_TAGS = frozenset(
    _TAG + kind for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
)


def _scalar(tag: str, text: str) -> str | int | float | bool | None:
    try:
        match tag.removeprefix(_TAG):
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return text.lower() == "true"
            case "null":
                return None
    except ValueError:  # a spelling of a number that no content needs: the type will refuse it
        return text
    return text


def _keys(model: type[BaseModel], where: Sequence[str | int]) -> list[str]:
    """The keys that may stand at `where` in a document of `model`."""
    here: Any = model
    for part in where:
        if isinstance(part, int):
            here = next(iter(get_args(here)), None)
        elif isinstance(here, type) and issubclass(here, BaseModel):
            names = {_shown(name, info.alias): info for name, info in here.model_fields.items()}
            here = names[part].annotation if part in names else None
        while get_origin(here) is not None and get_origin(here) is not tuple:
            here = get_args(here)[0]
    if not (isinstance(here, type) and issubclass(here, BaseModel)):
        return []
    return sorted(_shown(name, info.alias) for name, info in here.model_fields.items())


def _shown(name: str, alias: str | AliasChoices | None) -> str:
    return alias if isinstance(alias, str) else name
