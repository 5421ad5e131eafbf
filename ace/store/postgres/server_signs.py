"""Signs of life that a process gives a server, which ends the session of one that leads and gives none.

They go over the session that leads, between its transactions. While a transaction takes long, which may be
because much is computed in it, they go over a session of their own: whoever asks for the lead looks whether a
process is silent in all of its sessions.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

from ace.store.postgres.server_session import open_session
from ace.store.store_database import ServerAddress

if TYPE_CHECKING:
    import psycopg

_PATIENCE = 1.0  # seconds that a transaction may take before a sign goes another way
_CONNECTING = 3.0  # seconds to wait for that
_SIGN = "SELECT 1"


class SignSender:
    """Sends signs of life, from any thread. Errors are left to whoever uses the connection next."""

    def __init__(self, address: ServerAddress) -> None:
        """Begin without a session of its own."""
        self.busy = RLock()
        """Held by the thread that is in a transaction on the connection."""
        self._address = address
        self._beside: psycopg.Connection[Any] | None = None

    def send(self, connection: psycopg.Connection[Any]) -> None:
        """Send a sign over a connection, or beside it where another thread is in a transaction there."""
        from psycopg import Error

        try:
            if not self.busy.acquire(timeout=_PATIENCE):
                if self._beside is None or self._beside.closed:
                    self._beside, _ = open_session(self._address, _CONNECTING)
                self._beside.execute(_SIGN)
                return
            try:
                if not connection.closed:
                    connection.execute(_SIGN)
            finally:
                self.busy.release()
        except Error:
            pass

    def close(self) -> None:
        """Close the session that it has made."""
        if self._beside is not None:
            self._beside.close()
            self._beside = None
