"""Break what gives a prompt its structure, where it comes out of a text. Pure.

Chat templates, the markup of tool calls, ids of bullets, and the lines that our own prompts are made of lose
their form by one space: a model reads a broken one as text. The forms of families of models are in
markup.toml; where a model's own tokenizer is at hand, its special tokens are broken as well.
Ordinary text has none of them and stays as it is, byte for byte.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files

from ace.text.lookalike import SELECTORS, build_skeleton
from ace.text.unicode import HIDDEN

_BULLET_ID = r"\[(?=[a-z0-9]{1,80}(?:-[a-z0-9]{1,80}){0,9}-[0-9a-f]{8}\])"  # [orders-3fa91c2e]
_ARGUMENTS = re.compile(r'"(?=(?:arguments|parameters|tool_calls|function_call)"\s*:)')
_FUNCTION = re.compile(r'"(?:name|function)"\s*:')
_RISKY = re.compile(r'[<\[\]#]|"(?:name|function)"')  # ASCII text without any of these holds no markup

_FORMS = tomllib.loads(files("ace.safety").joinpath("markup.toml").read_text("utf-8"))
MARKUP = re.compile(
    "|".join(
        (
            r"<(?=\|[^<>\n]{0,64}>|\w{1,40}\|>)",  # <|im_start|>, <|turn>, <turn|>
            r"\[(?=\|[^\[\]\n]{0,64}\|\])",  # [|system|]
            r"\](?=~!?\w{1,10}[\]\[])|\[(?=e~\[)",  # ]~b], [e~[
            rf"#(?=##[ ]?(?:{'|'.join(_FORMS['template_headings'])})[ ]?:)",  # ### Response:
            rf"<(?=/?(?:{'|'.join(_FORMS['tags'])})>)",  # <s>, </tool_call>
            rf"<(?=(?:{'|'.join(_FORMS['calls'])})(?:=|[ ]name=))",  # <function=..., <invoke name=...
            r"<(?=</?SYS>>)",  # <<SYS>>
            rf"\[(?=/?(?:{'|'.join(_FORMS['brackets'])})\])",  # [INST]
            _BULLET_ID,
        )
    ),
    re.IGNORECASE,
)
"""The character that opens a piece of markup."""

_ROLE = re.compile(rf"^([ \t]{{0,9}}(?:{'|'.join(_FORMS['roles'])}))(?=:)", re.MULTILINE)  # Human:
_HEADING = re.compile(
    rf"^(?=[ \t]*(?:(?:{'|'.join(_FORMS['headings'])})[ \t]*[:;(]"
    rf"|(?:{'|'.join(_FORMS['sentences'])})[ \t]*[.,:;(]))",
    re.IGNORECASE | re.MULTILINE,
)


def neutralise(text: str) -> str:
    """Return text from anywhere, made safe to stand inside one list item of a prompt.

    Its lines are indented, so that none begins another item, and empty ones go. Hidden characters are taken
    out, and structure is broken.
    """
    lines = (SELECTORS.sub("", HIDDEN.sub("", line)).rstrip() for line in text.splitlines())
    return break_markup("\n  ".join(filter(None, lines)))


def defuse_markup(text: str) -> str:
    """Return text that is the whole of a message: its lines stay, only what acts on a template is broken."""
    return break_markup(SELECTORS.sub("", HIDDEN.sub("", text.replace("\r\n", "\n"))))


def break_markup(text: str, special: re.Pattern[str] | None = None) -> str:
    """Return the text with a space inside whatever would act as structure, in plain signs or lookalikes.

    With `special`, the tokens of one model as `compile_tokens` gives them, those are broken and nothing else.
    Text without such things is returned as it is, byte for byte.
    """
    if special is None:
        text = _ROLE.sub(r"\1 ", text)
        if text.isascii() and not _RISKY.search(text):
            return text
    openings = special or MARKUP
    if text.isascii():
        text = openings.sub(lambda opening: f"{opening[0]} ", text)
    else:
        skeleton, places = build_skeleton(text)
        cuts = [places[opening.start()] + 1 for opening in openings.finditer(skeleton)]
        text = " ".join(text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True))
    return _ARGUMENTS.sub('" ', text) if special is None and _FUNCTION.search(text) else text


def compile_tokens(tokens: Iterable[str]) -> re.Pattern[str] | None:
    """Return the pattern of the character that opens one of these texts; None where there is none to break.

    A text of one character, or of spaces alone, cannot be broken by a space, and is left out.
    """
    forms: list[str] = []
    for token in sorted(set(tokens)):
        plain, _ = build_skeleton(token)
        if len(plain) > 1 and not plain.isspace():
            forms.append(f"{re.escape(plain[0])}(?={re.escape(plain[1:])})")
    return re.compile("|".join(forms)) if forms else None


def quote_later_headings(text: str) -> str:
    """Return the text with a ">" before each of its lines that reads as a line of our own prompts.

    The first line stays as it is: it stands behind something of ours.
    """
    first, line_break, rest = text.partition("\n")
    return f"{first}{line_break}{_HEADING.sub('> ', rest)}"
