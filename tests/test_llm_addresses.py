"""Addresses of servers: what is none is refused at once, and passwords in one are not shown."""

from __future__ import annotations

import pytest

import ace
from ace.cli.options import EvalOptions, spell_options
from ace.errors import InputError
from ace.llm import connect_embedder
from ace.settings import Settings
from tests.cli import Ace


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:8000/v1",
        "127.0.0.1",
        "ftp://host/v1",
        "http://",
        "http://host:port/v1",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    for connect in (lambda: ace.connect("openai/x", api_base=address), lambda: embed(address)):
        with pytest.raises(InputError, match="no address of a server") as caught:
            connect()
        assert caught.value.hint and caught.value.exit_code == 2


def embed(address: str) -> object:
    return connect_embedder("openai/text", api_base=address)


@pytest.mark.parametrize(
    "address", ["http://localhost:8000/v1", "https://[::1]:80", "HTTP://host", "http://u:p@h/v1"]
)
def test_addresses_are_taken(address: str) -> None:
    assert embed(address)


def test_a_password_in_an_address_is_not_in_the_commands_to_run_next() -> None:
    address = "http://me:s3cretPassw0rd@127.0.0.1:8000/v1"
    options = EvalOptions(task="t", model="openai/x", api_base=address, settings=Settings())
    spelled = spell_options(options, "model", "api_base")
    assert "s3cretPassw0rd" not in spelled and "127.0.0.1:8000" in spelled


def test_nothing_is_not_searched_for(ace: Ace) -> None:
    done = ace("documents", "search", " ")
    assert done.code == 2 and "nothing to search for" in done.err
