"""Finds the tests in a row's Python source, and rewrites it so that each of them is reported.

The source is parsed here and never run: that is the child's work.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

from ace.errors import InputError

_LONGEST_NAME = 120  # characters
# A fence of Markdown: its language, and what stands in it.
_FENCE = re.compile(r"```([\w+-]{0,40})[^\n]{0,200}\n(.*?)(?:```|\Z)", re.DOTALL)
_PYTHON = ("", "python", "python3", "py")
# A test stands in the place of `pass`.
_REPORTED = """
try:
    pass
except BaseException as _ace_error:
    _ace_report({0}, _ace_error)
else:
    _ace_report({0})
"""


@dataclass(frozen=True, slots=True)
class ParsedTests:
    """Hold the tests of one row."""

    names: tuple[str, ...]
    """What they are called, in order: a function's name, or what is asserted."""

    program: str
    """Python source that runs them, and reports each by its number from 0."""


@lru_cache(maxsize=256)
def parse_tests(source: str) -> ParsedTests:
    """Return the tests of a source: functions `test_...` and asserts outside of functions.

    Where there is neither, calls are tests, as in `check(add)`. Raises InputError for a source that does not
    parse or has no test.
    """
    try:
        return _rewrite_tests(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"The tests do not parse: {error}.") from error


def _rewrite_tests(tree: ast.Module) -> ParsedTests:
    """Return the tests of a tree, each of them reported. Raises InputError where there is none.

    Asserts keep their place among the other statements; functions are called behind them all.
    """
    functions: list[str] = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("test_") and node.name not in functions:
            functions.append(node.name)
    is_test = [isinstance(node, ast.Assert) for node in tree.body]
    if not functions and not any(is_test):
        is_test = [isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) for node in tree.body]
    names: list[str] = []
    body: list[ast.stmt] = []
    for node, counts in zip(tree.body, is_test, strict=True):
        if counts:
            body += _report_statement(node, len(names))
            names.append(_name_statement(node, names))
        else:
            body.append(node)
    for name in functions:
        (call,) = ast.parse(f"_ace_call({name})").body
        body += _report_statement(call, len(names))
        names.append(name)
    if not names:
        hint = "Write functions test_..., without arguments, or asserts."
        raise InputError("There is no test in it.", hint=hint)
    tree.body = body
    return ParsedTests(tuple(names), ast.unparse(ast.fix_missing_locations(tree)))


def extract_code(text: str) -> str:
    """Return the Python code in a reply: its longest code fence, or all of it. Never raises.

    Fences that say another language count only where there is no other.
    """
    bodies: list[str] = []
    python: list[str] = []
    for language, body in _FENCE.findall(text):
        bodies.append(body)
        if language.lower() in _PYTHON:
            python.append(body)
    return max(python or bodies, key=len, default=text)


def _report_statement(statement: ast.stmt, number: int) -> list[ast.stmt]:
    """Return statements that run the given one and report how it ends."""
    guarded = ast.parse(_REPORTED.format(number)).body
    for node in guarded:
        if isinstance(node, ast.Try):
            node.body = [statement]
    return guarded


def _name_statement(node: ast.stmt, taken: list[str]) -> str:
    """Return what a test asserts, or calls, as its name of at most 120 characters.

    Names that are `taken` get a number: "f(1) == 2 (2)".
    """
    expression = node.test if isinstance(node, ast.Assert) else node
    name = " ".join(ast.unparse(expression).split())
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 3] + "..."
    namesakes = [other for other in taken if other == name or other.startswith(f"{name} (")]
    if not namesakes:
        return name
    return f"{name} ({len(namesakes) + 1})"
