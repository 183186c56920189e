"""Speech models on this machine: which there are, and fetching them.

A model is either wholly there or not there at all: it is fetched and unpacked aside, checked, and
put in its place by one rename. What a cut connection left is taken up again the next time.
"""

import asyncio
import hashlib
import json
import os
import shutil
import stat
import threading
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter

from eloquence.errors import ModelError
from eloquence.registry import Stage

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here, and in all if the server says so."""

_ASIDE = ".partial"
_CHECKSUMS = ".checksums.json"
_PIECE = 1 << 16
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_UNPACKED_MOST = 8 << 30
_UNPACKED_TIMES = 20
_FILES_MOST = 20_000
_RESERVE = 64 << 20
"""Bytes that stay free on the disk."""


class Model(BaseModel):
    """One model of the catalogue: an `archive` (zip) or plain `files`. With a `base` address the
    files are named from there on, and lie in the same folders here. `sha256` maps a file name to
    the checksum that its vendor publishes. `language` is `mul` for one that knows several."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    stage: Stage
    language: str
    about: str
    licence: str
    size: int
    """About how many bytes are fetched."""
    archive: str = ""
    base: str = ""
    files: tuple[str, ...] = ()
    sha256: dict[str, str] = {}

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.archive,) if self.archive else tuple(self.base + name for name in self.files)

    def place(self, url: str) -> PurePosixPath:
        """Where the file of that address lies in the model's folder."""
        path = PurePosixPath(url.removeprefix(self.base) if self.base else urlsplit(url).path)
        return path if self.base else PurePosixPath(path.name)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a download gave. `unpublished` names the files whose vendor publishes no checksum:
    theirs was recorded, and is compared the next time."""

    folder: Path
    unpublished: tuple[str, ...] = ()


def catalogue() -> tuple[Model, ...]:
    """Every model we know where to fetch, in the order of the catalogue."""
    text = files("eloquence.storage").joinpath("models.toml").read_text("utf-8")
    entries = [{"name": name, **entry} for name, entry in tomllib.loads(text).items()]
    return TypeAdapter(tuple[Model, ...]).validate_python(entries)


def model(name: str) -> Model:
    """The model of that name. Raises ModelError."""
    known = catalogue()
    for entry in known:
        if entry.name == name:
            return entry
    raise ModelError(
        f"There is no model named {name!r}.",
        mend=f"Known: {', '.join(entry.name for entry in known)}.",
    )


def installed(entry: Model, folder: Path) -> bool:
    """Whether the model is in its place."""
    return (folder / entry.name).is_dir()


def remove(entry: Model, folder: Path) -> bool:
    """Takes the model away, and what an unfinished download left; whether there was anything."""
    there = installed(entry, folder)
    aside = folder / _ASIDE / entry.name
    doomed = folder / _ASIDE / f"{entry.name}.removed"
    try:
        if there:
            doomed.parent.mkdir(exist_ok=True)
            shutil.rmtree(doomed, ignore_errors=True)
            (folder / entry.name).rename(doomed)  # at once gone, however long deleting takes
            shutil.rmtree(doomed)
        left = aside.is_dir()
        if left:
            shutil.rmtree(aside)
    except OSError as error:
        raise ModelError(
            f"{folder / entry.name} cannot be removed.", mend="Check the rights of the folder."
        ) from error
    return there or left


async def fetch(entry: Model, folder: Path, progress: Progress | None = None) -> Fetched:
    """`download` off the event loop; cancelling the task stops it. `progress` is called in
    another thread."""
    leaving = threading.Event()
    working = asyncio.get_running_loop().run_in_executor(
        None, lambda: download(entry, folder, progress, leaving.is_set)
    )
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        leaving.set()
        await asyncio.wait([working])
        working.exception()
        raise


def download(
    entry: Model,
    folder: Path,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Fetched:
    """Fetches a model into `folder/name`; at once when it is there. Raises ModelError."""
    target = folder / entry.name
    if installed(entry, folder):
        return Fetched(target)
    aside = folder / _ASIDE / entry.name
    try:
        aside.mkdir(parents=True, exist_ok=True)
        _want_room(folder, entry.size * (3 if entry.archive else 1))
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
            got = [
                _File(client, url, aside, progress, cancelled, entry.size).fetch()
                for url in entry.urls
            ]
        unpublished = tuple(path.name for path in got if not _verify(entry, path, folder))
        made = aside / "made"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        if entry.archive:
            unpack(got[0], made, cancelled)
            ready = _only_folder(made)
        else:
            for url, path in zip(entry.urls, got, strict=True):
                placed = made / entry.place(url)
                placed.parent.mkdir(parents=True, exist_ok=True)
                path.rename(placed)
            ready = made
        ready.rename(target)
        shutil.rmtree(aside)
    except OSError as error:
        raise ModelError(
            f"The model cannot be kept in {folder}: {error.strerror or type(error).__name__}.",
            mend="Check that the folder can be written and that the disk has room.",
        ) from error
    return Fetched(target, unpublished)


@dataclass(slots=True)
class _File:
    """One file on its way."""

    client: httpx.Client
    url: str
    aside: Path
    progress: Progress | None
    cancelled: Callable[[], bool]
    expected: int

    @property
    def name(self) -> str:
        return PurePosixPath(urlsplit(self.url).path).name

    def fetch(self) -> Path:
        done = self.aside / self.name
        if done.exists():
            return done  # whole: a file gets this name when it is
        part = self.aside / f"{self.name}.part"
        note = self.aside / f"{self.name}.json"
        try:
            self._fetch(part, note)
        except httpx.HTTPError as error:
            host = urlsplit(self.url).hostname
            raise ModelError(
                f"{host} could not be reached, or the connection was cut.",
                mend="Check the network and ask again: what is here already is kept.",
                retryable=True,
            ) from error
        note.unlink(missing_ok=True)
        return part.rename(done)

    def _fetch(self, part: Path, note: Path) -> None:
        here = part.stat().st_size if part.exists() else 0
        mark = _noted(note) if here else ""
        headers = {"Accept-Encoding": "identity"}
        if here and mark:
            headers |= {"Range": f"bytes={here}-", "If-Range": mark}
        with self.client.stream("GET", self.url, headers=headers) as answer:
            if answer.status_code == 416:
                part.unlink()
                raise ModelError(
                    "What was fetched before does not fit the file any more.",
                    mend="Ask again: it starts anew.",
                    retryable=True,
                )
            if answer.status_code not in (200, 206):
                raise ModelError(
                    f"{urlsplit(self.url).hostname} answered {answer.status_code} for {self.name}.",
                    mend="The address may have changed; see the vendor's page.",
                    retryable=answer.status_code >= 500,
                )
            resumed = answer.status_code == 206
            here = here if resumed else 0
            length = answer.headers.get("content-length", "")
            total = here + int(length) if length.isdigit() else None
            if total is not None:
                _want_room(self.aside, total - here)
            tag = answer.headers.get("etag", "")
            weak = tag.startswith("W/") or not tag
            mark = answer.headers.get("last-modified", "") if weak else tag
            note.write_text(json.dumps({"mark": mark}), "utf-8")
            with part.open("ab" if resumed else "wb") as out:
                here = self._copy(answer, out, here, total)
        if total is not None and here != total:
            raise ModelError(
                f"{self.name} ended after {here} of {total} bytes.",
                mend="Ask again: what is here already is kept.",
                retryable=True,
            )

    def _copy(self, answer: httpx.Response, out: Any, here: int, total: int | None) -> int:
        most = max(10 * self.expected, 1 << 20) if total is None else total
        for piece in answer.iter_raw():
            if self.cancelled():
                raise ModelError("The download was stopped.", mend="Ask again to go on.")
            here += len(piece)
            if here > most:
                raise ModelError(f"{self.name} is larger than it can be.")
            out.write(piece)
            if self.progress is not None:
                self.progress(here, total)
        return here


def unpack(archive: Path, folder: Path, cancelled: Callable[[], bool] = lambda: False) -> None:
    """Unpacks a zip into an empty folder. Raises ModelError for one that is damaged, would write
    outside of the folder, holds links, or swells beyond measure; it is thrown away then."""
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            most = min(_UNPACKED_MOST, _UNPACKED_TIMES * archive.stat().st_size + (1 << 20))
            if len(entries) > _FILES_MOST or sum(entry.file_size for entry in entries) > most:
                raise ModelError("The archive swells beyond measure; it was thrown away.")
            _want_room(folder, sum(entry.file_size for entry in entries))
            for entry in entries:
                _unpack_one(packed, entry, folder, cancelled)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        archive.unlink(missing_ok=True)
        raise ModelError(
            "The archive is damaged; it was thrown away.", mend="Ask again.", retryable=True
        ) from error
    except ModelError:
        if not cancelled():
            archive.unlink(missing_ok=True)
        raise


def _unpack_one(
    packed: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, cancelled: Callable[[], bool]
) -> None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    link = stat.S_ISLNK(entry.external_attr >> 16)
    if link or path.is_absolute() or ".." in path.parts or any(":" in part for part in path.parts):
        raise ModelError("The archive would write outside of its folder; it was thrown away.")
    target = folder.joinpath(*path.parts)
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with packed.open(entry) as source, target.open("xb") as out:
        while piece := source.read(_PIECE):
            if cancelled():
                raise ModelError("The download was stopped.", mend="Ask again to go on.")
            left -= len(piece)
            if left < 0:
                raise ModelError("The archive swells beyond measure; it was thrown away.")
            out.write(piece)


def _verify(entry: Model, path: Path, folder: Path) -> bool:
    """Compares the checksum with the published or the recorded one; whether it is published."""
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    recorded = _recorded(folder)
    published = entry.sha256.get(path.name)
    expected = published or recorded.get(f"{entry.name}/{path.name}")
    if expected is not None and got != expected.lower():
        path.unlink()
        kind = "published" if published else "recorded the first time"
        raise ModelError(
            f"{path.name} does not have the checksum that was {kind}; it was thrown away.",
            mend="Ask again; if it stays so, the file at the vendor has changed.",
            retryable=True,
        )
    if published is None:
        recorded[f"{entry.name}/{path.name}"] = got
        fresh = folder / f"{_CHECKSUMS}.new"
        fresh.write_text(json.dumps(recorded, indent=1, sort_keys=True), "utf-8")
        os.replace(fresh, folder / _CHECKSUMS)  # noqa: PTH105 - one step on every system
    return published is not None


def _recorded(folder: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((folder / _CHECKSUMS).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _noted(note: Path) -> str:
    try:
        return str(json.loads(note.read_text("utf-8"))["mark"])
    except (FileNotFoundError, ValueError, KeyError):
        return ""


def _want_room(folder: Path, wanted: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted + _RESERVE:
        raise ModelError(
            f"The disk of {folder} has {free >> 20} MB free, {(wanted + _RESERVE) >> 20} MB "
            "are needed.",
            mend="Make room, or choose another folder with ELOQUENCE_DATA.",
        )


def _only_folder(folder: Path) -> Path:
    """The folder inside when there is nothing else: archives often hold just one."""
    inside = list(folder.iterdir())
    if not inside:
        raise ModelError("The archive is empty.")
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
