"""Fetching models from a real HTTP server that resumes, cuts, lies and attacks."""

import asyncio
import hashlib
import io
import json
import shutil
import stat
import threading
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from eloquence.errors import ModelError
from eloquence.storage.models import (
    Model,
    catalogue,
    download,
    fetch,
    installed,
    model,
    remove,
    unpack,
)


class Vendor(BaseHTTPRequestHandler):
    """Serves `files`, with Range and ETag; cuts after `cut` bytes when it is set."""

    files: ClassVar[dict[str, bytes]] = {}
    cut: ClassVar[int | None] = None
    asked: ClassVar[list[str]] = []
    release: ClassVar[threading.Event | None] = None

    def do_GET(self) -> None:
        body = self.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        wanted = self.headers.get("Range", "")
        Vendor.asked.append(wanted)
        start = 0
        if wanted and self.headers.get("If-Range") == tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = len(body) if self.cut is None else start + self.cut
        self.wfile.write(body[start:end])
        if self.release is not None:
            self.wfile.flush()
            self.release.wait(20)
        if self.cut is not None:
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def vendor() -> Iterator[str]:
    Vendor.files, Vendor.cut, Vendor.asked, Vendor.release = {}, None, [], None
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    if Vendor.release is not None:
        Vendor.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


def zipped(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, body in entries.items():
            packed.writestr(name, body)
    return out.getvalue()


GOOD = zipped({"small/am/final.mdl": b"weights" * 40_000, "small/README": b"read me"})


def entry(url: str, **given: Any) -> Model:
    known: dict[str, Any] = {
        "name": "small", "stage": "stt", "language": "fr", "about": "test", "licence": "none",
        "size": 1_000, "archive": f"{url}/small.zip",
    }  # fmt: skip
    return Model.model_validate(known | given)


def nothing_in_place(folder: Path) -> bool:
    return not (folder / "small").exists()


def test_a_model_is_fetched_with_progress_unpacked_and_put_in_place(
    vendor: str, tmp_path: Path
) -> None:
    Vendor.files["/small.zip"] = GOOD
    seen: list[tuple[int, int | None]] = []
    fetched = download(entry(vendor), tmp_path, lambda here, total: seen.append((here, total)))
    assert fetched.folder == tmp_path / "small"
    assert (tmp_path / "small/am/final.mdl").read_bytes() == b"weights" * 40_000
    assert seen[-1] == (len(GOOD), len(GOOD))
    assert fetched.unpublished == ("small.zip",)
    assert not (tmp_path / ".partial/small").exists()
    assert installed(entry(vendor), tmp_path)
    asked = len(Vendor.asked)
    download(entry(vendor), tmp_path)
    assert len(Vendor.asked) == asked, "what is there is not fetched again"


def test_plain_files_are_put_together_in_one_folder(vendor: str, tmp_path: Path) -> None:
    Vendor.files |= {"/v.onnx": b"net", "/v.onnx.json": b"{}"}
    voice = entry(vendor, archive="", files=(f"{vendor}/v.onnx", f"{vendor}/v.onnx.json"))
    folder = download(voice, tmp_path).folder
    assert {path.name for path in folder.iterdir()} == {"v.onnx", "v.onnx.json"}


def test_files_under_one_address_keep_their_folders(vendor: str, tmp_path: Path) -> None:
    Vendor.files |= {"/m/onnx/net.onnx": b"net", "/m/voices/F1.json": b"{}"}
    several = entry(
        vendor, archive="", base=f"{vendor}/m/", files=("onnx/net.onnx", "voices/F1.json")
    )
    folder = download(several, tmp_path).folder
    assert (folder / "onnx/net.onnx").read_bytes() == b"net"
    assert (folder / "voices/F1.json").read_bytes() == b"{}"
    assert len(list(folder.rglob("*"))) == 4


def test_a_cut_connection_is_taken_up_where_it_stopped(vendor: str, tmp_path: Path) -> None:
    Vendor.files["/small.zip"] = GOOD
    Vendor.cut = 100_000
    with pytest.raises(ModelError) as caught:
        download(entry(vendor), tmp_path)
    assert caught.value.retryable
    assert nothing_in_place(tmp_path)
    Vendor.cut = None
    download(entry(vendor), tmp_path)
    assert Vendor.asked == ["", "bytes=100000-"]
    assert (tmp_path / "small/README").read_bytes() == b"read me"


def test_a_file_that_changed_meanwhile_is_fetched_anew(vendor: str, tmp_path: Path) -> None:
    Vendor.files["/small.zip"] = zipped({"small/old": b"o" * 300_000})
    Vendor.cut = 100_000
    with pytest.raises(ModelError):
        download(entry(vendor), tmp_path)
    Vendor.files["/small.zip"], Vendor.cut = GOOD, None
    download(entry(vendor), tmp_path)
    assert (tmp_path / "small/README").exists()


def test_the_published_checksum_decides(vendor: str, tmp_path: Path) -> None:
    Vendor.files["/small.zip"] = GOOD
    wrong = entry(vendor, sha256={"small.zip": "0" * 64})
    with pytest.raises(ModelError, match="checksum"):
        download(wrong, tmp_path)
    assert nothing_in_place(tmp_path)
    right = entry(vendor, sha256={"small.zip": hashlib.sha256(GOOD).hexdigest()})
    assert download(right, tmp_path).unpublished == ()


def test_without_a_published_checksum_the_first_one_is_recorded_and_kept_to(
    vendor: str, tmp_path: Path
) -> None:
    Vendor.files["/small.zip"] = GOOD
    download(entry(vendor), tmp_path)
    recorded = json.loads((tmp_path / ".checksums.json").read_text())
    assert recorded == {"small/small.zip": hashlib.sha256(GOOD).hexdigest()}
    assert remove(entry(vendor), tmp_path)
    Vendor.files["/small.zip"] = zipped({"small/other": b"changed"})
    with pytest.raises(ModelError, match="recorded"):
        download(entry(vendor), tmp_path)
    assert nothing_in_place(tmp_path)


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "small/../../evil", "C:\\evil", "..\\evil", "small/C:evil"]
)
def test_an_archive_that_would_write_elsewhere_is_thrown_away(
    vendor: str, tmp_path: Path, name: str
) -> None:
    Vendor.files["/small.zip"] = zipped({"small/README": b"x", name: b"evil"})
    folder = tmp_path / "models"
    with pytest.raises(ModelError, match="outside"):
        download(entry(vendor), folder)
    assert nothing_in_place(folder)
    assert not list(tmp_path.rglob("*evil*"))
    assert not list(folder.rglob("*.zip"))


def test_an_archive_with_a_link_is_thrown_away(tmp_path: Path) -> None:
    archive, folder = tmp_path / "a.zip", tmp_path / "out"
    folder.mkdir()
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(ModelError, match="outside"):
        unpack(archive, folder)
    assert not archive.exists()


def test_an_archive_that_swells_is_thrown_away(tmp_path: Path) -> None:
    archive, folder = tmp_path / "a.zip", tmp_path / "out"
    folder.mkdir()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", bytes(32 << 20))
    with pytest.raises(ModelError, match="swells"):
        unpack(archive, folder)
    assert not archive.exists()


@pytest.mark.parametrize("body", [b"not a zip at all", GOOD[:-40], b"", zipped({})])
def test_a_damaged_archive_leaves_nothing(vendor: str, tmp_path: Path, body: bytes) -> None:
    Vendor.files["/small.zip"] = body
    with pytest.raises(ModelError):
        download(entry(vendor), tmp_path)
    assert nothing_in_place(tmp_path)


def test_a_host_that_cannot_be_reached_is_told_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="network") as caught:
        download(entry("http://127.0.0.1:9"), tmp_path)
    assert caught.value.retryable


def test_a_file_that_is_not_there_is_told(vendor: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="404"):
        download(entry(vendor), tmp_path)


def test_a_full_disk_is_told_before_anything_is_fetched(
    vendor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    Vendor.files["/small.zip"] = GOOD
    with pytest.raises(ModelError, match="free"):
        download(entry(vendor), tmp_path)
    assert Vendor.asked == []


def test_a_download_can_be_stopped_and_taken_up(vendor: str, tmp_path: Path) -> None:
    Vendor.files["/small.zip"] = GOOD
    seen: list[int] = []
    with pytest.raises(ModelError, match="stopped"):
        download(entry(vendor), tmp_path, lambda here, _: seen.append(here), lambda: bool(seen))
    assert nothing_in_place(tmp_path)
    download(entry(vendor), tmp_path)
    assert Vendor.asked[-1] == f"bytes={seen[-1]}-"


async def test_cancelling_the_task_stops_the_download(vendor: str, tmp_path: Path) -> None:
    Vendor.files["/small.zip"] = GOOD
    Vendor.cut, Vendor.release = 100_000, threading.Event()
    here = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begun(done: int, total: int | None) -> None:
        loop.call_soon_threadsafe(here.set)

    task = asyncio.create_task(fetch(entry(vendor), tmp_path, begun))
    await here.wait()
    task.cancel()
    Vendor.release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_in_place(tmp_path)


async def test_it_can_be_fetched_off_the_event_loop(vendor: str, tmp_path: Path) -> None:
    Vendor.files["/small.zip"] = GOOD
    assert (await fetch(entry(vendor), tmp_path)).folder.is_dir()


def test_removing_takes_the_model_and_what_was_left_of_it(vendor: str, tmp_path: Path) -> None:
    assert not remove(entry(vendor), tmp_path)
    Vendor.files["/small.zip"] = GOOD
    download(entry(vendor), tmp_path)
    assert remove(entry(vendor), tmp_path)
    assert not installed(entry(vendor), tmp_path)
    Vendor.cut = 10
    remove(entry(vendor), tmp_path)
    with pytest.raises(ModelError):
        download(entry(vendor), tmp_path)
    assert remove(entry(vendor), tmp_path)


def test_the_catalogue_names_a_recogniser_and_a_voice_for_each_language() -> None:
    known = catalogue()
    assert {(one.stage, one.language) for one in known} >= {
        ("stt", "fr"), ("stt", "en"), ("tts", "fr"), ("tts", "en"),
    }  # fmt: skip
    assert len({one.name for one in known}) == len(known)
    for one in known:
        assert one.size > 1_000_000
        assert one.urls
        assert all(url.startswith("https://") for url in one.urls)
        places = [str(one.place(url)) for url in one.urls]
        assert len({Path(place).name for place in places}) == len(places), "fetched by its name"
        assert not any(place.startswith(("/", "..")) or "//" in place for place in places)
    with pytest.raises(ModelError, match="vosk-model-small-fr"):
        model("nothing")
