"""The services of `deploy/compose.yaml` as processes of this machine, without Docker.

`compose` reads the file as Docker Compose does, `plan` makes parts of it (which program, with which
ports, after whom), `supervision` starts them in order, waits for their health, starts again what
ends, and stops them in the opposite order. `command` is what `make stack` calls.
"""
