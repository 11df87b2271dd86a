"""Ports for servers that are started as processes of their own."""

import socket


def reserve_port() -> int:
    """Return a port of 127.0.0.1 that only a server that is told its number gets, for as long as this process lives.

    A port that is merely found free may be another's, or a client's, by the time that the server asks for it. So it
    stays bound; on Linux a server still gets it, as servers ask with SO_REUSEADDR and nobody listens
    (https://man7.org/linux/man-pages/man7/socket.7.html).
    """
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    # Only now, or else another one that holds ports could share it.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port: int = held.getsockname()[1]
    held.detach()
    return port
