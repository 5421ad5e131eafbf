"""Read from a GGUF file which texts its tokenizer takes as one special token each.

The server finds these texts anywhere in a prompt, in what users and documents say as well. Knows the file's
head only: keys and values in a row, none of the weights behind them.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ace.errors import WeightsError

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9  # the other kinds of value
_HEAD = 24  # bytes: magic, version, the number of tensors, the number of values
_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4  # types of tokens; the rest are pieces of ordinary text


def read_special_tokens(weights: Path) -> tuple[str, ...]:
    """Return the texts of the tokens that control the model, and of those that its chat template writes.

    A token that somebody defined is ordinary text, such as a tag of HTML, unless the template writes it. A
    file that is not GGUF has none: the server does not start with it. Raises WeightsError for a damaged one.
    """
    with weights.open("rb") as file:
        if file.read(4) != b"GGUF":
            return ()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _list_special(_read_values(data))
            # The last two: a value is of another kind than its name says.
            except (struct.error, KeyError, OverflowError, MemoryError, TypeError, AttributeError) as error:
                raise WeightsError(
                    f"{weights}: the special tokens of its tokenizer cannot be read: {error!r}.",
                    hint="Fetch the file again; GGUF of version 2 or 3 is expected.",
                    path=str(weights),
                ) from error


def _list_special(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the special tokens that a head tells. Raises TypeError for values of other kinds."""
    tokens = values.get("tokenizer.ggml.tokens", ())
    types = values.get("tokenizer.ggml.token_type", ())
    templates = [text for name, text in values.items() if name.startswith("tokenizer.chat_template")]
    special: dict[str, None] = {}
    for token, kind in zip(tokens, types, strict=False):
        is_written = kind == _USER_DEFINED and any(token in template for template in templates)
        if kind in (_UNKNOWN, _CONTROL) or is_written:
            special[token.decode("utf-8", "replace")] = None
    return tuple(special)


def _read_values(data: mmap.mmap) -> dict[str, Any]:
    """Return the values of the head by their names: numbers, bytes of texts, and sequences of either.

    Raises struct.error where the file ends before its head does, KeyError for a kind of value or a version
    that does not exist.
    """
    (version,), (count,) = struct.unpack_from("<I", data, 4), struct.unpack_from("<Q", data, _HEAD - 8)
    if version not in (2, 3):
        raise KeyError(f"version {version}")
    at = _HEAD

    def read_number(form: str) -> Any:
        nonlocal at
        (number,) = struct.unpack_from(f"<{form}", data, at)
        at += struct.calcsize(f"<{form}")
        return number

    def read_texts(number: int) -> list[bytes]:
        """Return texts in a row. There are some 100,000 in a file, so nothing is called for each."""
        nonlocal at
        texts: list[bytes] = []
        read_length = struct.Struct("<Q").unpack_from
        for _ in range(number):
            (length,) = read_length(data, at)
            at += 8 + length
            texts.append(data[at - length : at])
        return texts

    values: dict[str, Any] = {}
    for _ in range(count):
        name = read_texts(1)[0].decode("utf-8", "replace")
        kind = read_number("I")
        if kind == _TEXT:
            values[name] = read_texts(1)[0]
        elif kind == _ARRAY:
            kind, number = read_number("I"), read_number("Q")
            if kind == _TEXT:
                values[name] = read_texts(number)
            else:
                values[name] = struct.unpack_from(f"<{number}{_NUMBERS[kind]}", data, at)
                at += struct.calcsize(f"<{number}{_NUMBERS[kind]}")
        else:
            values[name] = read_number(_NUMBERS[kind])
    return values
