"""Where downloaded speech models lie: a folder with one entry for each."""

import os
from collections.abc import Iterable
from pathlib import Path

from platformdirs import user_data_path


def models_folder(given: Path | None) -> Path:
    """The folder given, else the one in the data folder: `ELOQUENCE_DATA`, or this user's own."""
    if given is not None:
        return given
    data = os.environ.get("ELOQUENCE_DATA")
    return (Path(data) if data else user_data_path("eloquence", appauthor=False)) / "models"


def first_installed(folder: Path, names: Iterable[str]) -> str:
    """The first of these models that is there, or the empty string."""
    return next((name for name in names if (folder / name).exists()), "")


def model_folder(given: str, models: Path | None, names: Iterable[str]) -> Path | None:
    """The folder of the model that is meant, whether or not it is there: `given` is one, or the
    name of one in the models folder; empty: the first of `names` that is installed, or None."""
    folder = models_folder(models)
    if given:
        path = Path(given).expanduser()
        return path if path.is_absolute() or path.exists() else folder / given
    name = first_installed(folder, names)
    return folder / name if name else None
