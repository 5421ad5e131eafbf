"""A loopback proxy before a PostgreSQL server, which changes or cuts what passes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Cut(Exception):
    """Raised by a rule: the connection ends here; `forward` are the bytes that still pass."""

    def __init__(self, forward: bytes = b"") -> None:
        super().__init__()
        self.forward = forward


Rule = Callable[[bytes], bytes]
"""Takes some bytes and returns what passes in their place, or raises Cut."""


def let_pass(data: bytes) -> bytes:
    return data


class Proxy:
    """Forward connections to a port; `to_server` and `to_client` are asked about everything that passes."""

    def __init__(self, port: int) -> None:
        self.to_server: Rule = let_pass
        self.to_client: Rule = let_pass
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for source, target, name in ((client, server, "to_server"), (server, client, "to_client")):
                    pump = threading.Thread(target=self._pump, args=(source, target, name), daemon=True)
                    pump.start()

    def _pump(self, source: socket.socket, target: socket.socket, rule: str) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                try:
                    target.sendall(getattr(self, rule)(data))
                except Cut as cut:
                    target.sendall(cut.forward)
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
