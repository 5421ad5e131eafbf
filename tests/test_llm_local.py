"""The embedded server with real weights: only what the cache holds already is used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from ace.context.assemble import TEMPLATE
from ace.errors import ModelError, ModelNameError
from ace.llm import Endpoint, Message, Request, Role, connect
from ace.llm.local import weights
from ace.llm.local.vocabulary import read_special_tokens


class Guess(BaseModel):
    kind: Literal["table", "column"]
    sure: bool


def cached(*names: str) -> str:
    pytest.importorskip("xllamacpp")
    for name in names:
        if weights.find_verified(weights.find(name)):
            return f"local/{name}"
    pytest.skip(f"the cache holds no weights of {' or '.join(names)}")


@pytest.fixture(scope="module")
def client() -> Iterator[Endpoint]:
    with connect(cached("smollm2-135m", weights.DEFAULT), slots=2, context=512) as client:
        yield client


def ask(text: str, **more: Any) -> Request:
    system = Message("system", "Answer in as few words as you can, please.")
    return Request(role=Role.GENERATOR, messages=(system, Message("user", text)), **more)


def test_it_answers_for_free_and_a_second_call_finds_its_prefix(client: Endpoint) -> None:
    first, again = (client.complete(ask("What is SQL?", max_tokens=4)) for _ in range(2))
    assert first.text and first.text == again.text
    assert first.usage.cost == 0.0 and 1 <= first.usage.completion_tokens <= 4
    assert again.usage.cached_tokens >= again.usage.prompt_tokens - 2


def test_a_schema_is_a_grammar_that_no_model_can_break(client: Endpoint) -> None:
    reply = client.complete(ask("Is 'orders' a table or a column?", schema=Guess, max_tokens=40))
    assert isinstance(reply.parsed, Guess) and reply.usage.calls == 1


def test_the_default_model_knows_its_trade() -> None:
    with connect(cached(weights.DEFAULT), slots=1, context=512) as client:
        reply = client.complete(ask("SQL that counts the rows of t. Only the SQL.", max_tokens=16))
    assert "select count(" in reply.text.lower()


def test_slots_work_at_the_same_time(client: Endpoint) -> None:
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda q: client.complete(ask(q, max_tokens=3)), ["Hello?", "Goodbye?"]))
    assert all(reply.usage.completion_tokens for reply in replies)


def test_a_prompt_past_the_context_says_what_to_do(client: Endpoint) -> None:
    with pytest.raises(ModelError, match="smaller budget"):
        client.complete(ask("word " * 2000))


def test_only_the_holder_of_the_key_may_call(client: Endpoint) -> None:
    stranger = Endpoint("openai/x", api_base=client.api_base, api_key="guessed")
    with pytest.raises(ModelNameError, match="refused the API key"):
        stranger.complete(ask("Hello?", max_tokens=1))


def test_it_can_be_closed_as_soon_as_it_is_there_and_twice(client: Endpoint) -> None:
    for _ in range(6):
        short_lived = connect(client.model, slots=1, context=512)
        short_lived.close()
        short_lived.close()
    with pytest.raises(ModelError, match="Is the server running"):
        short_lived.complete(ask("Hello?"))


def test_the_server_writes_nothing_to_the_terminal(
    client: Endpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    client.complete(ask("Hello?", max_tokens=1))
    with connect(client.model, slots=1, context=512):
        pass
    assert capfd.readouterr() == ("", "")


def test_it_tells_its_window_and_counts_as_it_reads(client: Endpoint) -> None:
    window = client.window()
    assert window.tokens == 512 and window.count is not None and window.count("") == 0
    asked = ask("What is SQL?", max_tokens=1), ask("What is SQL? " * 5, max_tokens=1)
    longer = [client.complete(request).usage.prompt_tokens for request in asked]
    told = [sum(window.count(message.content) for message in request.messages) for request in asked]
    assert longer[1] - longer[0] == told[1] - told[0] > 0
    assert 0 < longer[0] - told[0] <= TEMPLATE


def test_no_special_token_of_its_tokenizer_reaches_it(client: Endpoint) -> None:
    """Every special token of the model's own file, wherever it stands in a prompt, is plain text to it."""
    server = client.server
    assert server is not None
    special = read_special_tokens(weights.find_verified(weights.find(client.model.removeprefix("local/"))))
    assert len(special) > 10 and "<|im_start|>" in special
    ids = {tuple(server._process.ask("POST", "/tokenize", {"content": token})["tokens"]) for token in special}
    singles = {number for tokens in ids for number in tokens if len(tokens) == 1}
    assert len(singles) == len(special)
    for token in special:
        sent = server.defuse(f"a {token}b{token}{token[:-1]}{token} caf\u00e9 {token}")
        assert singles.isdisjoint(server._process.ask("POST", "/tokenize", {"content": sent})["tokens"])
    # What is sent counts as many tokens as the defused text does, and not as many as the special ones.
    plain, more = ask("Say 7.", max_tokens=1), ask(f"Say 7.{''.join(special[:8])}", max_tokens=1)
    base = client.complete(plain).usage.prompt_tokens
    added = server.count(more.messages[1].content) - server.count("Say 7.")
    assert client.complete(more).usage.prompt_tokens == base + added > base + 16
