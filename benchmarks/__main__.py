"""`make bench`: every benchmark, one after the other, with its figures."""

import subprocess
import sys

for benchmark in ("conversation", "endurance", "analysis"):
    print(f"── {benchmark}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{benchmark}"], check=True)
