"""What gives a prompt its structure, and must not come out of a text: breaking it by a space. Pure.

Chat templates (ChatML, Llama, Gemma, Mistral, DeepSeek, Qwen, Phi, Command-R, GPT-OSS), the markup of tool
calls, ids of bullets, and the lines that our own prompts are made of. A model reads a broken one as text.
Ordinary text has none of it and stays as it is, byte for byte.
"""

from __future__ import annotations

import re

from ace.text.lookalike import SELECTORS, skeleton
from ace.text.unicode import HIDDEN

_TAGS = (
    "s|bos|eos|pad|unk|mask|think|sop|eop|tools?|system|assistant|human|tool_(?:call|response|calls|use|result)s?"
    r"|(?:start|end)_of_(?:turn|image)|fim_\w{1,16}|function_(?:call|results?)s?|(?:antml:)?invoke"
)
# <|im_start|> and its full-width form; <s>, </tool_call>; <function=..., <invoke name=...; <<SYS>>; [INST];
# [orders-3fa91c2e].
CONTROL = re.compile(
    r"<(?=\|[^<>\n]{0,64}\|>)"
    rf"|<(?=/?(?:{_TAGS})>)"
    r"|<(?=(?:function|parameter|tool|tool_call|invoke|antml:invoke)(?:=|[ ]name=))"
    r"|<(?=</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_(?:CALLS|RESULTS|CONTENT))\])"
    r"|\[(?=/?(?:ARGS|CALL_ID|THINK|IMG|gMASK)\])"
    r"|\[(?=[a-z0-9]+(?:-[a-z0-9]+)*-[0-9a-f]{8}\])",
    re.IGNORECASE,
)
_CALL = re.compile(r'"(?=(?:arguments|parameters|tool_calls|function_call)"\s*:)')
_CALLED = re.compile(r'"(?:name|function)"\s*:')
_OURS = (
    "What you have learned about this task|Used|Question|Not known|Known already|Wrong answer|Right answer"
    "|Right SQL|Its outcome|It stands in what was found|No page says|This lesson did not help"
    "|This did not help|Cannot be used|Lessons|With these lessons this went wrong|It lacks"
)
_OURS_IN_SENTENCES = "Also learned about this task|Found for this question"
_HEADING = re.compile(
    rf"^(?=[ \t]*(?:(?:{_OURS})[ \t]*[:;(]|(?:{_OURS_IN_SENTENCES})[ \t]*[.,:;(]))",
    re.IGNORECASE | re.MULTILINE,
)
_RISKY = re.compile(r'[<\[]|"(?:name|function)"')


def neutralise(text: str) -> str:
    """Text from anywhere, made safe to stand inside one list item of a prompt."""
    lines = (SELECTORS.sub("", HIDDEN.sub("", line)).rstrip() for line in text.splitlines())
    return broken("\n  ".join(filter(None, lines)))


def defused(text: str) -> str:
    """Text that is the whole of a message, its lines as they are: only what acts on a template is broken."""
    return broken(SELECTORS.sub("", HIDDEN.sub("", text.replace("\r\n", "\n"))))


def broken(text: str) -> str:
    """The text with a space inside whatever would act as structure."""
    if not text.isascii():
        text = _broken_lookalikes(text)
    elif not _RISKY.search(text):
        return text
    else:
        text = CONTROL.sub(lambda found: f"{found[0]} ", text)
    return _CALL.sub('" ', text) if _CALLED.search(text) else text


def quoted(text: str) -> str:
    """The text with a ">" before each of its lines, the first too, that reads as one of our own prompts."""
    return _HEADING.sub("> ", text)


def headless(text: str) -> str:
    """The same, but for the first line, which stands behind something of ours."""
    first, line_break, rest = text.partition("\n")
    return f"{first}{line_break}{quoted(rest)}"


def _broken_lookalikes(text: str) -> str:
    """Found in the plain form, broken in the text itself."""
    form, places = skeleton(text)
    cuts = [places[found.start()] + 1 for found in CONTROL.finditer(form)]
    parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return " ".join(parts)
