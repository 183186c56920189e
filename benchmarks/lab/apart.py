"""A network and a list of processes of one's own, for a program that breaks things on purpose.

All ports are its own, packets can be dropped without harm to anybody, and when the program ends,
however it ends, every process that it started ends with it. Needs root, `unshare` and `ip`.
"""

import os
import shutil
import signal
import subprocess
import sys

ADDRESS = "10.9.9.1"
"""WebRTC does not connect over the loopback device alone, so there is a second one."""
_MARK = "ELOQUENCE_LAB_APART"
_ENTER = f"""
ip link set lo up
ip link add v0 type veth peer name v1
ip addr add {ADDRESS}/24 dev v0
ip link set v0 up
ip link set v1 up
ip route add default via 10.9.9.2 dev v0
exec "$@"
"""


def possible() -> bool:
    """Whether a network of one's own can be had here."""
    return os.geteuid() == 0 and all(shutil.which(name) for name in ("unshare", "ip"))


def is_apart() -> bool:
    """Whether this process is in one."""
    return _MARK in os.environ


def again() -> int:
    """Runs this very program once more, apart; its exit status."""
    enter = ["unshare", "-n", "-p", "-m", "-f", "--kill-child", "--mount-proc"]
    program = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
    command = [*enter, "bash", "-c", _ENTER, "bash", *program]
    process = subprocess.Popen(command, env={**os.environ, _MARK: "1"})
    # Whoever ends this process ends what it runs: all of it is a child of `unshare`.
    signal.signal(signal.SIGTERM, lambda *_: process.kill())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it has been told as well, and cleans up
            continue


def can_drop() -> bool:
    """Whether packets of one group can be dropped."""
    return is_apart() and shutil.which("nft") is not None


def drop(group: int) -> None:
    """Drops every packet that processes of this group send, on its arrival: were it dropped on its
    way out, whoever sends would be told."""
    rules = f"""
    table inet lab {{
      chain out {{
        type filter hook output priority 0;
        meta skgid {group} meta mark set {group}
      }}
      chain in {{
        type filter hook input priority 0;
        meta mark {group} drop
      }}
    }}
    """
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


def deliver() -> None:
    """Undoes `drop`."""
    subprocess.run(["nft", "delete", "table", "inet", "lab"], check=True)
