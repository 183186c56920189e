"""The LiveKit worker: one process per conversation, and what watches over them.

    eloquence worker ─ work.py          the process that stays: health, webhook, drain
        agent_server.py                 registration that never gives up, exact admission
        forkserver
            job.py                      a process that waits, everything loaded
            job.py                      a process that holds one session in one room

A conversation's process may end at any instant, by any cause: what was said is stored as it was
said, and `eloquence.bootstrap.watching` finds the session another process.
"""
