"""JSON lines: one value a line, blank lines between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ace.errors import TaskError
from ace.text.unicode import SURROGATE, mend_surrogates


def read_json_lines(
    text: str, file: str, error: type[TaskError], *, first: int = 1, mend: bool = False
) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value). `file` is its name, for messages, `first` the number of the first line.

    Raises `error`, with file and line, for what is no JSON, and for half a character, which JSON can escape
    and no file can hold. With `mend` it becomes U+FFFD instead.
    """
    # Only a line feed ends a line: JSON may hold the other separators of Unicode.
    for number, line in enumerate(text.split("\n"), start=first):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            written = json.dumps(value, ensure_ascii=False)
            if mend and SURROGATE.search(written):
                value = json.loads(mend_surrogates(written))
            else:
                written.encode()
        except (ValueError, RecursionError) as fault:
            hint = "Write one object a line."
            raise error(f"Not valid JSON: {fault}.", hint=hint, file=file, line=number) from fault
        yield number, value
