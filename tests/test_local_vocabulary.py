"""The special tokens of a model's own tokenizer, read from its file and broken in every place of a prompt."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace.agent import Draw, SingleCall
from ace.agent.generator import Generator
from ace.context import Item, Trust, render_playbook
from ace.context.assemble import Limit, assemble
from ace.context.item import SourceItems
from ace.errors import WeightsError
from ace.llm import Endpoint
from ace.llm.local import server_process
from ace.llm.local.local_server import connect_local
from ace.llm.local.vocabulary import read_special_tokens
from ace.playbook import Add, Playbook, apply
from ace.safety.markup import break_markup, compile_tokens
from ace.task import Sample
from tests.world import world

STUB = Path(__file__).with_name("stub_server.py")
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
ODD = [  # forms that no family in markup.toml has
    "\u25c1turn\u25b7",
    "[[ROLE:system]]",
    "madeupword0001",
    "{{{{sys}}}}",
    "\u00abend\u00bb",
    "^A^B",
    "@@start@@",
    "<reponame:x>",
    "\uff5cBEGIN\u2581ROLE\uff5c",
    "%%%",
]
WORDS = {
    "the": NORMAL,
    "<td>": USER_DEFINED,
    "<call>": USER_DEFINED,
    "<0x0A>": BYTE,
    "[PAD7]": UNUSED,
    "x": CONTROL,
}


def text_of(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def write_gguf(path: Path, tokens: dict[str, int], *, version: int = 3, template: str = "") -> Path:
    """Write the head of a model's file: other values of every kind stand before, between and behind."""
    values = [
        text_of("general.name") + struct.pack("<I", 8) + text_of("tiny"),
        *(text_of(f"n{kind}") + struct.pack(f"<I{form}", kind, 1) for kind, form in enumerate("BbHhIif?")),
        text_of("scores") + struct.pack("<IIQ2f", 9, 6, 2, 0.5, 1.5),
        text_of("tokenizer.ggml.tokens")
        + struct.pack("<IIQ", 9, 8, len(tokens))
        + b"".join(map(text_of, tokens)),
        text_of("tokenizer.ggml.token_type")
        + struct.pack(f"<IIQ{len(tokens)}i", 9, 5, len(tokens), *tokens.values()),
        text_of("tokenizer.ggml.merges") + struct.pack("<IIQ", 9, 8, 1) + text_of("a b"),
        text_of("tokenizer.chat_template") + struct.pack("<I", 8) + text_of(template),
        text_of("last") + struct.pack("<Id", 12, 0.25),
    ]
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, 0, len(values)) + b"".join(values) + b"\0" * 64)
    return path


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    tokens = {**WORDS, **dict.fromkeys(ODD, CONTROL), "<unk>": UNKNOWN}
    return write_gguf(tmp_path / "tiny.gguf", tokens, template="{{ '<call>' }}")


def test_control_tokens_are_special_and_others_where_the_template_writes_them(gguf: Path) -> None:
    assert read_special_tokens(gguf) == ("<call>", "x", *ODD, "<unk>")


def test_what_is_no_gguf_has_none_and_a_damaged_one_says_so(gguf: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"{}")
    assert read_special_tokens(other) == ()
    whole = gguf.read_bytes()
    for end in range(5, len(whole) - 64, 7):
        other.write_bytes(whole[:end])
        with pytest.raises(WeightsError, match="special tokens"):
            read_special_tokens(other)
    other.write_bytes(whole[:16] + struct.pack("<Q", 2**62) + whole[24:])
    with pytest.raises(WeightsError):
        read_special_tokens(other)
    other.write_bytes(whole[:4] + struct.pack("<I", 1) + whole[8:])
    with pytest.raises(WeightsError, match="version 1"):
        read_special_tokens(other)


@settings(max_examples=40)
@given(st.lists(st.text(min_size=1, max_size=6), max_size=6), st.text(max_size=30), st.data())
def test_no_token_is_left_and_text_without_any_stays(tokens: list[str], text: str, data: Any) -> None:
    openings = compile_tokens(tokens)
    for _ in range(3):
        if tokens:
            text += data.draw(st.sampled_from(tokens)) + data.draw(st.text(max_size=3))
    broken = break_markup(text, openings) if openings else text
    assert broken.replace(" ", "") == text.replace(" ", "")
    if not openings:
        assert broken == text
    for token in tokens:
        if len(token) > 1 and " " not in token:
            assert token not in broken


def test_they_are_broken_in_every_place_of_a_prompt(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Question, document, label of a citation, memory, bullet, section and instructions: one boundary."""
    monkeypatch.setattr(server_process, "_CHILD", STUB)
    task = world()
    places = [f"here{n} {token}" for n, token in enumerate(ODD)]
    playbook, _ = apply(
        Playbook(), [Add(f"b-{n}", f"section {place}", f"bullet {place}") for n, place in enumerate(places)]
    )
    items = [
        Item(f"document {place}", 0, f"label {place}", volatile=True, trust=trust)
        for place in places
        for trust in (Trust.DOCUMENT, Trust.USER)
    ]
    with connect_local("tiny", gguf, slots=1) as client:
        sample = Sample("q", f"question {' '.join(places)}")
        generator = Generator(client, task, cite=True)
        context = assemble(
            generator.frame(sample),
            lambda room: render_playbook(playbook, room, ids=True),
            [SourceItems("documents", tuple(items))],
            Limit(20_000),
            share=0.5,
        )
        assert sum(part in context.user + context.system for part in places) == len(places)
        assert not SingleCall(generator).solve(sample, context, None, Draw()).error
    asked = [json.loads(line) for line in gguf.with_suffix(".asked").read_text().splitlines()]
    asked = [body for body in asked if "messages" in body]
    assert asked
    for body in asked:
        for message in body["messages"]:
            content = message["content"]
            text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
            assert not [token for token in ODD if token in text]


def test_other_endpoints_have_no_tokenizer_at_hand() -> None:
    assert Endpoint("openai/m", api_base="http://127.0.0.1:1/v1", api_key="k").server is None
    assert compile_tokens(["x", "  "]) is None


@pytest.mark.parametrize("name", ["tokens", "token_type"])
def test_a_value_of_another_kind_than_its_name_says_is_damage(name: str, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "m.gguf", WORDS, template="<call>")
    number = text_of(f"tokenizer.ggml.{name}") + struct.pack("<II", 4, 7)
    head = file.read_bytes()[: -64 - len(text_of("last") + struct.pack("<Id", 12, 0.25))]
    file.write_bytes(head + number)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_special_tokens(file)
