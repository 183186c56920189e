"""Which processes are alive, told by locked files: the system frees a lock when its holder dies."""

import os
import sys
import uuid
from pathlib import Path

from eloquence.errors import StorageError

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Owners:
    """The locked files of one folder; making one takes a lock under a new `name`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self.name, self._descriptor = self._taken()
        except OSError as error:
            raise StorageError(
                f"The folder {folder} cannot be used: {error.strerror}.",
                mend="Check that you may write there and that the disk has space.",
            ) from error

    def alive(self, name: str) -> bool:
        """Whether the process that took `name` still runs."""
        try:
            descriptor = os.open(self._folder / name, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _lock(descriptor)
        finally:
            os.close(descriptor)

    def sweep(self) -> None:
        """Removes the files of processes that are gone."""
        for path in self._folder.iterdir():
            try:
                descriptor = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            # Removed while locked, so that nobody can take it in between.
            if _lock(descriptor):
                path.unlink(missing_ok=True)
            os.close(descriptor)

    def release(self) -> None:
        os.close(self._descriptor)
        (self._folder / self.name).unlink(missing_ok=True)

    def _taken(self) -> tuple[str, int]:
        while True:
            name = uuid.uuid4().hex
            path = self._folder / name
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            # Another process may sweep the file away between these two steps: then take another.
            if _lock(descriptor) and path.exists():
                return name, descriptor
            os.close(descriptor)
