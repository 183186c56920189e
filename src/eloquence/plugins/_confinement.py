"""What a plugin's process can do at all: so much memory and processor time; no further process, no
network, no signal to others, no limit or priority set on them, no memory shared with them; of files
only to read the code that it is made of, and a folder of its own.

The last three are up to the kernel: Linux with seccomp and Landlock (5.13, x86-64 or ARM64).
Elsewhere further processes are refused by a limit, which the superuser is not under, and the rest
is not prevented.
"""

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass


def confine(*, memory: int, cpu: int, folder: str) -> None:
    """Limits this process for good: bytes of memory, seconds of processor time. It goes on reading
    what Python's path holds, and writing in its folder."""
    if sys.platform == "win32":
        return
    import resource

    alone = _forbid_calls()
    _forbid_files(folder)
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 1 << 20,
        resource.RLIMIT_NOFILE: 64,
    }
    if not alone:
        limits[resource.RLIMIT_NPROC] = 0  # counts threads as well
    for limit, most in limits.items():
        with contextlib.suppress(ValueError, OSError):  # a lower one is in force already
            resource.setrlimit(limit, (most, most))


@dataclass(frozen=True, slots=True)
class _Calls:
    """Numbers of the system calls of one kind of machine. `refused`: fork, vfork, execve, execveat,
    socket, kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, ptrace, process_vm_readv,
    process_vm_writev, pidfd_open, pidfd_send_signal, pidfd_getfd, io_uring_setup, setpriority,
    ioprio_set, migrate_pages, move_pages, shmget, semget, msgget, mq_open. `on_itself`, allowed for
    this very process, which is 0: prlimit64, sched_setaffinity, sched_setscheduler, sched_setparam,
    sched_setattr."""

    machine: int
    clone: int
    fcntl: int
    refused: tuple[int, ...]
    on_itself: tuple[int, ...]


_CLONE3 = 435
_MACHINES = {
    "x86_64": _Calls(
        machine=0xC000003E,
        clone=56,
        fcntl=72,
        refused=(57, 58, 59, 322, 41, 62, 200, 234, 129, 297, 101, 310, 311, 434, 424, 438, 425,
                 141, 251, 256, 279, 29, 64, 68, 240),
        on_itself=(302, 203, 144, 142, 314),
    ),
    "aarch64": _Calls(
        machine=0xC00000B7,
        clone=220,
        fcntl=25,
        refused=(221, 281, 198, 129, 130, 131, 138, 240, 117, 270, 271, 434, 424, 438, 425,
                 140, 30, 238, 239, 194, 190, 186, 180),
        on_itself=(261, 122, 119, 118, 274),
    ),
}  # fmt: skip
_SET_OWNER, _SET_OWNER_OF = 8, 15
"""Of fcntl: who is sent the signals of a descriptor, which may be any process."""
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_CALL, _MACHINE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
"""Where these are in what the kernel shows a filter of a call."""
_THREAD = 0x00010000
_FOREIGN = 0x40000000
"""Calls from here on are of another convention, which no Python uses."""


def _forbid_calls() -> bool:
    """Refuses the calls for good; False where that is not to be had."""
    calls = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or calls is None:
        return False
    steps = [
        (_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, calls.machine), (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _CALL), (_AT_LEAST, 0, 1, _FOREIGN), (_RETURN, 0, 0, _KILL),
        # The C library makes do with the older call then, whose flags can be looked at.
        (_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
    ]  # fmt: skip
    for number in calls.refused:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    for number in calls.on_itself:
        steps += [
            (_EQUAL, 0, 4, number), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_EQUAL, 1, 0, 0),
            (_RETURN, 0, 0, _ERROR | errno.EPERM), (_RETURN, 0, 0, _ALLOW),
        ]  # fmt: skip
    steps += [
        (_EQUAL, 0, 5, calls.fcntl), (_LOAD, 0, 0, _SECOND_ARGUMENT),
        (_EQUAL, 2, 0, _SET_OWNER), (_EQUAL, 1, 0, _SET_OWNER_OF),
        (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERROR | errno.EPERM),
    ]  # fmt: skip
    steps += [
        (_EQUAL, 0, 3, calls.clone), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 1, 0, _THREAD),
        (_RETURN, 0, 0, _ERROR | errno.EPERM), (_RETURN, 0, 0, _ALLOW),
    ]  # fmt: skip
    written = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = ctypes.create_string_buffer(written, len(written))
    told = struct.pack("@HP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None)
    libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return int(libc.prctl(_SET_SECCOMP, _FILTER, told)) == 0


_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EVERYTHING = 0x1FFF
"""The rights that the first Landlock knows."""
_READING = 0x0001 | 0x0004 | 0x0008
_FILE_RIGHTS = 0x0001 | 0x0002 | 0x0004
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom")


def _forbid_files(folder: str) -> bool:
    """Leaves nothing but the code to read and the folder to write in; False where that is not to
    be had."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    handled = struct.pack("=Q", _EVERYTHING)
    rules = libc.syscall(_CREATE, handled, len(handled), 0)
    if rules < 0:
        return False
    read = (sys.prefix, sys.base_prefix, sys.exec_prefix, *_SYSTEM, *filter(None, sys.path))
    _allow(libc, rules, read, _READING)
    _allow(libc, rules, (os.devnull,), _FILE_RIGHTS)
    _allow(libc, rules, (folder,), _EVERYTHING)
    libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    restricted = libc.syscall(_RESTRICT, rules, 0)
    os.close(rules)
    return int(restricted) == 0


def _allow(libc: ctypes.CDLL, rules: int, paths: Iterable[str], rights: int) -> None:
    for path in dict.fromkeys(paths):
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        own = rights if os.path.isdir(path) else rights & _FILE_RIGHTS  # noqa: PTH112 - it is text
        libc.syscall(_ADD, rules, 1, struct.pack("=Qi", own, opened), 0)
        os.close(opened)
