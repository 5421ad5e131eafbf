"""Finds the tests in a row's Python source, and rewrites it so that each of them is reported.

The source is parsed here and never run: that is the child's work.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

from ace.errors import InputError

_LONGEST_NAME = 120
_FENCE = re.compile(r"```([\w+-]*)[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_PYTHON = ("", "python", "python3", "py")
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
    """Hold the names of the tests in order, and the program that reports them by their number."""

    names: tuple[str, ...]
    program: str


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
    """Return the tests of a tree, each of them reported. Raises InputError where there is none."""
    functions = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    functions = list(dict.fromkeys(functions))
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
    """Return the Python code in a reply: its longest code fence, or all of it. Never raises."""
    fences = _FENCE.findall(text)
    python = [body for language, body in fences if language.lower() in _PYTHON]
    return max(python or [body for _, body in fences], key=len, default=text)


def _report_statement(statement: ast.stmt, number: int) -> list[ast.stmt]:
    """Return statements that run the given one and report how it ends."""
    guarded = ast.parse(_REPORTED.format(number)).body
    for node in guarded:
        if isinstance(node, ast.Try):
            node.body = [statement]
    return guarded


def _name_statement(node: ast.stmt, taken: list[str]) -> str:
    """Return what a test asserts, or calls, as its name."""
    expression = node.test if isinstance(node, ast.Assert) else node
    name = " ".join(ast.unparse(expression).split())
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 3] + "..."
    times = sum(other == name or other.startswith(f"{name} (") for other in taken)
    return f"{name} ({times + 1})" if times else name
