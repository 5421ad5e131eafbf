"""Texts as vectors: the packaged model itself, and a litellm one against a loopback server."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from ace.errors import ModelUnavailable
from ace.llm import connect_embedder
from ace.llm import embedding as module
from tests.raw_server import Answer, RawServer


def test_likeness_follows_meaning_and_rows_have_length_one() -> None:
    vectors = connect_embedder()(["refund a broken item", "give money back for damage", "the moon is far"])
    assert vectors.shape == (3, 256) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


@pytest.mark.parametrize("text", ["", " ", "\0", "\u202e", "x" * 100_000, "\ud800"])
def test_any_text_has_a_finite_vector_that_does_not_depend_on_its_company(text: str) -> None:
    embed = connect_embedder()
    alone, beside = embed([text])[0], embed(["something else", text])[1]
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(alone, beside, atol=1e-5)


def test_nothing_in_nothing_out() -> None:
    assert len(connect_embedder()([])) == 0


def test_the_logging_of_the_process_is_left_alone() -> None:
    module._load_wordllama.cache_clear()
    before = (list(logging.getLogger().handlers), logging.getLogger().level)
    connect_embedder()(["a"])
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before


def test_weights_that_are_gone_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module._load_wordllama.cache_clear()
    monkeypatch.setattr(module, "_WEIGHTS", "weights/none.safetensors")
    with pytest.raises(ModelUnavailable, match="wordllama is gone") as caught:
        connect_embedder()(["a"])
    assert "pip install" in (caught.value.hint or "")


class _Embeds(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = [
            {"object": "embedding", "index": n, "embedding": [3.0, 4.0]} for n in range(len(asked["input"]))
        ]
        body = json.dumps(
            {
                "object": "list",
                "data": rows[::-1],
                "model": "m",
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Embeds) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/v1"
        http.shutdown()


def test_any_embedding_model_of_litellm(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nothing")
    vectors = connect_embedder("openai/some-embedder", api_base=server)(["a", "b"])
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0.6, 0.8]], rtol=1e-6)


def test_a_remote_embedder_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nothing")
    embed = connect_embedder("openai/some-embedder", api_base="http://127.0.0.1:9/v1")
    with pytest.raises(ModelUnavailable, match="openai/some-embedder") as caught:
        embed(["a"])
    assert "default, wordllama" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((307, b"", {"location": "http://elsewhere.invalid/v1"}), "redirects to another address"),
        ((400, {"error": "input too odd"}), "input too odd"),
        ((200, {"error": {"message": "no such embedder"}}), "no such embedder"),
        ((200, b"<html>Log in</html>"), "Log in"),
        ((200, {"object": "list", "model": "m", "data": []}), "0 vectors for 1 texts"),
    ],
)
def test_a_remote_embedder_fails_in_its_own_words(
    answer: Answer, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nothing")
    server = RawServer(lambda _: answer)
    with pytest.raises(ModelUnavailable, match=words):
        connect_embedder("openai/some-embedder", api_base=server.api_base)(["a \ud83d"])
    server.close()
    assert len(server.seen) == 1
