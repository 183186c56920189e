"""`make bench`: every benchmark, one after the other, with its figures.

`python -m benchmarks NAME …` runs one of them.
"""

import runpy
import subprocess
import sys

if len(sys.argv) > 1:
    runpy.run_module(f"benchmarks.{sys.argv[1]}", run_name="__main__", alter_sys=False)
    sys.exit()
for benchmark in ("conversation", "endurance", "analysis"):
    print(f"── {benchmark}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{benchmark}"], check=True)
