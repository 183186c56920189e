"""What the process imports from which all others are forked: they share it, and its signals.

Whoever stops a service may signal every process of it. Only the worker's own is to act on that:
the others end when it tells them to, or when it is gone.
"""

import signal

import eloquence.worker.job  # noqa: F401 - everything that a conversation needs

for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
