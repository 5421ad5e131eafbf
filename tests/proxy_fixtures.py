"""Fixtures of the proxy, for modules of tests that name this one in `pytest_plugins`.

Such a module has a function `says` that makes the upstream's replies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ace.servers.proxy.projects import Project
from tests.proxy_here import ProxyHere, fill, serve_here
from tests.wire_server import WireServer, serve_wire


@pytest.fixture(scope="module")
def wire(request: pytest.FixtureRequest) -> Iterator[WireServer]:
    """An upstream that answers what the module says."""
    with serve_wire(request.module.says) as server:
        yield server


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    """A playbook with one bullet."""
    return fill(tmp_path / "shop.db")


@pytest.fixture
def proxy(wire: WireServer, playbook: Path) -> Iterator[ProxyHere]:
    """A proxy of the playbook before the upstream, which has been asked nothing yet."""
    wire.bodies.clear()
    with serve_here(Project(playbook=playbook, upstream=wire.url)) as server:
        yield server
