"""Taking a port, for the commands that serve."""

import socket


def listener(host: str, port: int, command: str) -> socket.socket:
    """A socket bound to the address, port 0 being any free one. Raises ConfigurationError, which
    tells how to start `command` elsewhere (X-02)."""
    from eloquence.errors import ConfigurationError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only of a socket that says that it is TCP does asyncio know that what is sent must not wait to
    # be sent with more (Nagle): 40 ms for each answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            mend=f"Stop what uses that port, or choose another: {command} --port {port + 1}.",
        ) from error
    return listening
