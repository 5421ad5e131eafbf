"""Run an example of the manual as it stands: `python docs/run_example.py adapters DSPy`.

The words are a page and a heading on it. The example is the first block of Python under that heading, behind
the block under "What the examples share", where the page has one. Without a heading all are listed.
"""

from __future__ import annotations

import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

SHARED = "What the examples share"


def read_examples(page: str) -> dict[str, str]:
    """Return the first block of Python under each heading of a page, by the heading."""
    examples: dict[str, str] = {}
    heading = ""
    tokens = MarkdownIt().parse((Path(__file__).parent / f"{page}.md").read_text(encoding="utf-8"))
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            heading = following.content
        if token.type == "fence" and token.info == "python":
            examples.setdefault(heading, token.content)
    return examples


def run_example(page: str, heading: str) -> dict[str, Any]:
    """Run the example under a heading in the working directory. Return the names that it defines."""
    examples = read_examples(page)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{page}_example.py"
        file.write_text(f"{examples.get(SHARED, '')}\n{examples[heading]}", encoding="utf-8")
        return runpy.run_path(str(file), run_name="__main__")


def main(page: str = "adapters", heading: str = "") -> None:
    """Run an example and print its `answers`, or list the examples of a page."""
    examples = read_examples(page)
    if heading in examples:
        print(run_example(page, heading).get("answers", ""))
    else:
        print("\n".join(title for title in examples if title != SHARED))


if __name__ == "__main__":
    main(*sys.argv[1:])
