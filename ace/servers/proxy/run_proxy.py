"""Listening: the application behind an address of this machine, until a signal ends it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from ace.errors import InputError
from ace.servers.http_place import LOOPBACK, App, list_hosts, serve_app, write_host
from ace.servers.proxy.application import ProxyPlan, make_application
from ace.servers.proxy.forward import Limits
from ace.servers.proxy.projects import Project, require_distinct
from ace.servers.transports import log_to_stderr
from ace.store import Store

_IDLE_SECONDS = 75  # that a client's connection stays open: longer than clients keep theirs
_LAST_SECONDS = 5  # for replies that are under way when the server ends


def run_proxy(
    projects: Sequence[Project],
    announce: Callable[[str], None],
    *,
    host: str = "127.0.0.1",
    port: int = 8787,
    names: Sequence[str] = (),
    limits: Limits | None = None,
    trust: bool = False,
) -> None:
    """Serve until a signal ends it. `announce` is called with the address once it can be reached.

    A playbook that is missing is made, on a server or in a file whose name ends in .db. Raises InputError
    where nobody can listen there, or where everybody could come in; and errors of the playbooks.
    """
    log_to_stderr()
    logging.getLogger("httpx").setLevel(logging.ERROR)
    if write_host(host) not in LOOPBACK and not all(project.keys for project in projects):
        hint = "Give --projects FILE, made by `ace proxy add-project NAME`."
        raise InputError(f"{host} can be reached from elsewhere, which needs keys of projects.", hint=hint)
    projects = require_distinct(projects)
    for project in projects:
        if not isinstance(project.playbook, Path):
            Store.open(project.playbook).close()
        elif not project.playbook.exists():
            if project.playbook.suffix != ".db":
                message = f"There is no playbook {project.playbook}."
                raise InputError(message, hint="Give a file that ends in .db, which is then made.")
            Store.open(project.playbook).close()

    def make(port: int) -> App:
        """Return the application behind a port."""
        hosts = frozenset(list_hosts(host, port, names))
        plan = ProxyPlan(projects=projects, hosts=hosts, limits=limits or Limits(), trust=trust)
        return make_application(plan)

    serve_app(
        make,
        host,
        port,
        announce,
        log_level="critical",  # what goes wrong is logged where it is known what it means
        date_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
