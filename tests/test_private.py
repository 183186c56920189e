"""Nothing reports the use of this machine to anybody."""

import os
import subprocess
import sys
from pathlib import Path

_USE = """
import numpy as np
from eloquence.delivery import sound
import onnxruntime
sound.measure(np.zeros(16_000, dtype=np.float32), 16_000)
"""


def test_the_library_that_runs_the_models_keeps_no_device_id_and_sends_nothing(
    tmp_path: Path,
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / ".cache")}
    subprocess.run([sys.executable, "-c", _USE], env=environment, check=True)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert not [name for name in left if name == "deviceid" or name.startswith("onnxruntime")]
