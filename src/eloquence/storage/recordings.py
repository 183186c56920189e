"""The sound of a conversation, kept only with consent: one folder per session."""

import re
import shutil
from pathlib import Path

from eloquence.errors import SessionNotFoundError, StorageError

FILES = {"learner": "learner.flac", "mix": "mix.flac"}
"""The file of each recording, by its name."""


def folder(recordings: Path, session_id: str) -> Path:
    """Where the sound of that session is. Raises SessionNotFoundError for an id that is no id."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", session_id):
        raise SessionNotFoundError("That is not the id of a session.")
    return recordings / session_id


def kept(recordings: Path, session_id: str) -> tuple[str, ...]:
    """The names of the recordings that were kept: `learner`, `mix`."""
    place = folder(recordings, session_id)
    return tuple(name for name, file in FILES.items() if (place / file).is_file())


def path(recordings: Path, session_id: str, name: str) -> Path:
    """The file of one recording. Raises SessionNotFoundError when it was not kept."""
    found = folder(recordings, session_id) / FILES.get(name, "")
    if name not in FILES or not found.is_file():
        raise SessionNotFoundError(f"Session {session_id} has no recording {name!r}.")
    return found


def delete(recordings: Path, session_id: str) -> None:
    """Removes the sound of that session, if any. Raises StorageError."""
    try:
        shutil.rmtree(folder(recordings, session_id))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(
            f"The recordings of session {session_id} cannot be deleted: {error.strerror}.",
            mend="Check that you may write to the folder of recordings.",
        ) from error
