"""A PostgreSQL server of the tests' own, made with `initdb` in a temporary folder, on a loopback port."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ace.store.store_database import ServerAddress

USER = "ace"


def find_programs() -> Path | None:
    """Return the folder that has initdb and pg_ctl: on the path, or where Debian puts the newest."""
    found = shutil.which("initdb")
    if found and shutil.which("pg_ctl", path=str(Path(found).parent)):
        return Path(found).parent
    folders = [file.parent for file in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda folder: int(folder.parent.name), default=None)


def find_user() -> str | None:
    """Return whom to run the server as: initdb refuses root. "" is whoever runs the tests."""
    if os.geteuid() != 0:
        return ""
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


def why_not() -> str:
    """Return why there can be no server here; "" where there can."""
    if find_spec("psycopg") is None:
        return "psycopg is not installed: pip install 'ace-engine[postgres]'"
    if find_programs() is None:
        return "initdb and pg_ctl are not installed: apt-get install postgresql"
    if find_user() is None:
        return "initdb refuses root, and there is neither a user postgres nor nobody"
    return ""


class PostgresServer:
    """A server that can be stopped, killed and started again."""

    def __init__(self, **settings: str) -> None:
        programs, user = find_programs(), find_user()
        assert programs is not None and user is not None
        self.programs, self.user = programs, user
        self.folder = Path(tempfile.mkdtemp(prefix="ace-postgres-"))
        if user:
            entry = pwd.getpwnam(user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.numbers = count(1)
        self.run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        lines = {
            "listen_addresses": "'127.0.0.1'",
            "port": str(self.port),
            "unix_socket_directories": f"'{self.folder}'",
            "max_connections": "200",
            **settings,
        }
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in lines.items())
        self.start()
        atexit.register(self.remove)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, program: str, *arguments: object) -> None:
        """Run one of PostgreSQL's programs as its user."""
        command = [str(self.programs / program), *map(str, arguments)]
        options = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        if self.user == "nobody":
            options["group"] = pwd.getpwnam("nobody").pw_gid
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=120, **options
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        self.run("pg_ctl", "start", "-w", "-D", self.data, "-l", self.folder / "log")

    def stop(self, mode: str = "fast") -> None:
        """Stop: "fast" ends all clients; "immediate" is a crash, after which the log is played again."""
        self.run("pg_ctl", "stop", "-w", "-D", self.data, "-m", mode)

    def kill(self) -> None:
        """Kill the postmaster and wait until its children are gone, as a power cut would leave it."""
        number = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(number, signal.SIGQUIT)

    def remove(self) -> None:
        """Stop, and remove the folder."""
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.remove)

    def address(self, schema: str = "") -> str:
        """Return the URL of a playbook that nobody has used yet, or of one by its name."""
        schema = schema or f"test_{next(self.numbers)}"
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres?schema={schema}"


@contextmanager
def as_anybody(place: Path | ServerAddress) -> Iterator[Any]:
    """Yield what runs SQL on a playbook as any other program could, who rewrites history as well."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as db, db:
            yield db
    else:
        from ace.store.postgres.server_connection import ServerConnection

        with closing(ServerConnection(place, timeout=10.0, read_only=False)) as db:
            db.execute("SELECT set_config('ace.rewriting', 'on', FALSE)")
            yield db


FILE_ONLY = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""Marks a test of what only a file has."""


@cache
def shared_server() -> PostgresServer:
    """Return the server that tests share; skip where there can be none.

    It does not wait for the disk: a test that kills processes loses nothing by that, and is quicker.
    """
    reason = why_not()
    if reason:
        pytest.skip(reason)
    return PostgresServer(fsync="off")
