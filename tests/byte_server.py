"""An upstream of bytes: it answers each request with exactly what a test wrote, and keeps what came."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Script = Callable[[socket.socket, bytes, bytes], None]
"""Answers on a connection: it gets the head and the body of a request. The connection ends with it."""


@dataclass
class ByteServer:
    """Hold the address, and each request as its head and its body."""

    port: int
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def say(*pieces: bytes) -> Script:
    """Return the script that writes these bytes."""

    def script(connection: socket.socket, head: bytes, body: bytes) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return script


@contextmanager
def serve_bytes(script: Script) -> Iterator[ByteServer]:
    """Serve on a free port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = ByteServer(listener.getsockname()[1])

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65_536) or b"\r\n\r\n"
                head, _, body = request.partition(b"\r\n\r\n")
                length = next(
                    (
                        int(line[15:])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length:")
                    ),
                    0,
                )
                while len(body) < length:
                    body += connection.recv(65_536)
                server.requests.append((head, body))
                script(connection, head, body)
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def exchange_bytes(port: int, request: bytes) -> bytes:
    """Return all that a server answers to a request before it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        pieces = []
        while True:
            try:
                piece = connection.recv(65_536)
            except ConnectionError:
                break
            if not piece:
                break
            pieces.append(piece)
        return b"".join(pieces)
