"""The server that a playbook is on: how it is reached, what may be done there, who learns into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ace.cli.doctor.finding import Finding, Health, Topic
from ace.errors import AceError

if TYPE_CHECKING:
    from ace.store.postgres.server_look import ServerLook, ServerSizes
    from ace.store.store_database import ServerAddress

_SLOW_TRIP = 0.05  # seconds
_CLOCK = 5.0  # seconds by which clocks differ without anybody noticing
_FULL = 0.9  # of the connections that a server takes
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


def check_server(address: ServerAddress) -> tuple[list[Finding], ServerSizes | None]:
    """Return what is to be said of the server of a playbook, and its sizes; None where it cannot be read.

    One of the findings is BROKEN where there are no sizes.
    """
    from ace.store.postgres.server_look import look_at_server

    try:
        look = look_at_server(address)
    except AceError as error:
        return [Finding(Topic.SERVER, Health.BROKEN, error.message, error.hint)], None
    return [*_check_connection(look), *_check_clock(look), *_check_rights(look, address)], look.sizes


def _check_connection(look: ServerLook) -> Iterator[Finding]:
    """Yield how the server is reached, how long that takes, and whether it has room for more."""
    secure = "encrypted" if look.is_encrypted else "not encrypted"
    text = f"PostgreSQL {look.version}, database {look.database} as {look.user}, {secure}"
    is_near = look.host in _THIS_MACHINE or look.host.startswith("/")
    if look.is_encrypted or is_near:
        yield Finding(Topic.SERVER, Health.OK, text)
    else:
        fix = "?sslmode=verify-full in the address refuses a connection that others could read"
        yield Finding(Topic.SERVER, Health.NOTE, text, fix)
    trip, connect = 1000 * look.trip_seconds, 1000 * look.connect_seconds
    text = f"a round trip takes {trip:.1f} ms, a new connection {connect:.0f} ms"
    if look.trip_seconds > _SLOW_TRIP:
        fix = "a commit takes a few: run near the server, or learn into a file and `ace playbook push` it"
        yield Finding(Topic.SERVER, Health.WARNING, f"{text}: that is slow", fix)
    else:
        yield Finding(Topic.SERVER, Health.OK, text)
    if look.connections > _FULL * look.most_connections:
        text = f"{look.connections} of {look.most_connections} connections are in use"
        fix = "raise max_connections: a learner takes up to three, and so does each project of a proxy"
        yield Finding(Topic.SERVER, Health.WARNING, text, fix)


def _check_clock(look: ServerLook) -> Iterator[Finding]:
    """Yield by how much the clocks of this machine and of the server differ, where that is not nothing."""
    seconds = abs(look.clock_ahead)
    direction = "ahead of" if look.clock_ahead > 0 else "behind"
    text = f"this machine's clock is {seconds:.1f} s {direction} the server's"
    if seconds > _CLOCK:
        yield Finding(Topic.SERVER, Health.WARNING, text, "set the clocks, as with NTP")
    else:
        yield Finding(Topic.SERVER, Health.OK, text)


def _check_rights(look: ServerLook, address: ServerAddress) -> Iterator[Finding]:
    """Yield whether the playbook can be read and written, and who learns into it."""
    if look.reading is not None:
        yield Finding(Topic.SERVER, Health.BROKEN, look.reading.message, look.reading.hint)
        return
    if look.is_missing:
        text = f"there is no playbook in schema {address.schema}"
        if look.is_standby:
            fix = "this server follows another one, which takes writes: give the address of that"
        elif look.may_create:
            fix = f"`ace learn TASK --playbook {address}` makes one"
        else:
            fix = f"ask for `CREATE SCHEMA {address.schema} AUTHORIZATION {look.user}`: it may make none"
        yield Finding(Topic.SERVER, Health.BROKEN, text, fix)
        return
    if look.is_standby:
        text = "it follows another server: the playbook can be read here, and not written"
        yield Finding(Topic.SERVER, Health.WARNING, text, "give the address of the server that takes writes")
    elif look.writing is not None:
        yield Finding(Topic.SERVER, Health.WARNING, look.writing.message, look.writing.hint)
    else:
        yield Finding(Topic.SERVER, Health.OK, f"{look.user} may read and write the playbook")
    for branch, leader in look.leaders.items():
        yield Finding(Topic.SERVER, Health.OK, f"{leader} learns on branch {branch}")
