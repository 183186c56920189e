"""Somebody else's package, installed as pip would do it: built by its own build backend, and
unpacked into a folder that is then put on the path. Nothing is fetched."""

import subprocess
import sys
import zipfile
from pathlib import Path


def installed(package: Path, folder: Path) -> Path:
    """The package of that folder of sources, installed into `folder`, as `pip install --target`
    does with a wheel of Python alone. Raises CalledProcessError when it cannot be built."""
    built = folder.parent / f"{folder.name}-wheel"
    subprocess.run(  # noqa: S603 - nothing of it comes from outside
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)],
        cwd=package,
        check=True,
        capture_output=True,
    )
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder
