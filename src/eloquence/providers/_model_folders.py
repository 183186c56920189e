"""Where downloaded speech models lie: a folder with one entry for each."""

from collections.abc import Iterable
from pathlib import Path

from platformdirs import user_data_path


def models_folder(given: Path | None) -> Path:
    """The folder given, else the one in this user's data folder."""
    return given or user_data_path("eloquence", appauthor=False) / "models"


def first_installed(folder: Path, names: Iterable[str]) -> str:
    """The first of these models that is there, or the empty string."""
    return next((name for name in names if (folder / name).exists()), "")
