"""JSON values that stand inside of other text, such as the reply of a model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

_OPENING = re.compile(r"[{\[]")


def find_json_values(
    text: str, most: int = 200, *, parse_constant: Callable[[str], Any] | None = None
) -> Iterator[tuple[Any, int]]:
    """Yield (value, characters) of the JSON objects and arrays in a text, in order.

    What lies inside a value is not looked at again. `most` places where one may begin are tried.
    `parse_constant` is given NaN and the infinities, as `json.JSONDecoder` does.
    """
    decoder, place = json.JSONDecoder(parse_constant=parse_constant), 0
    for _ in range(most):
        opening = _OPENING.search(text, place)
        if opening is None:
            return
        try:
            value, place = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            place = opening.end()
            continue
        yield value, place - opening.start()
