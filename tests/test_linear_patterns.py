"""Every regular expression of the package takes time in proportion to the text, whatever the text is.

All of them are found: in modules and what they hold, in what functions without arguments compile, and where a
call names one. Each is tried, as it is used, on texts that are the worst for expressions of its kind.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import pkgutil
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.errors import InputError

ROOT = Path(ace.__file__).parent
SIZES = (4_000, 16_000)  # characters
SUSPICIOUS = 0.006  # seconds of computing for the shorter text, from which on the longer one is tried
QUADRATIC = 9.0  # times as long for four times as much: linear is 4, quadratic 16
AT_ONCE = ("match", "fullmatch")
SEARCHING = ("search", "finditer", "findall", "sub", "subn", "split")

PIECES = [
    *" \n\t\r.,:;!?-_*#`'\"()[]{}<>|=/\\$@&%+~^aZ0\u00e9\u5b57\u2212\u2019\u00bd",
    *(
        "a ",
        "a,",
        "a.",
        "a-",
        "a_",
        "a:",
        "a'",
        "a\n",
        "a1",
        "aB",
        "A ",
        "Aa ",
        "A.",
        "A-",
        "A'",
        "A&",
        "a\u2019",
    ),
    *("1,", "1.", "1 ", "1-", "1:", "1/", "1e", "1 000", ",000", "$1", "$1 ", "0.", "0,0", "1 a ", "1, "),
    *("\n ", " \n", "\n\n", "\r\n", "\n- ", "\n* ", "\n# ", "\n1. ", "\n> ", "\n| ", "\n\t", "---\n"),
    *(
        "``",
        "```",
        "```\n",
        "~~~\n",
        "**a",
        "__a",
        "[[",
        "[a](",
        "](",
        "((",
        "({",
        '{"a":',
        '["',
        '", ',
        '\\"',
    ),
    *("<a", "<a ", "<a>", "</", "</a>", "<!--", "-->", "<|", "|>", "--", "/*", "*/", "//", "' '"),
    *("http://", "http://a.", "a@", "a@a.", "a=", "a='", "key: ", "key = ", "x.", "x:x", "a/a", "../"),
    *("with ", "with a (", "select ", "select;", "update a ", "a b ", "ab cd. ", "A b, ", "word word\n"),
    *("aaaaaaaa ", "0123456789abcdef", "x" * 39 + " "),
]


def find_patterns() -> dict[tuple[str, str, int], tuple[Any, set[str]]]:
    """Map (module, expression, flags) to the compiled expression and the methods that are used."""
    found: dict[tuple[str, str, int], tuple[Any, set[str]]] = {}
    for info in pkgutil.walk_packages(ace.__path__, "ace."):
        if info.name.endswith("__main__"):
            continue
        try:
            module = importlib.import_module(info.name)
        except (InputError, ModuleNotFoundError):  # an adapter of a framework that is not installed
            assert ".adapters." in info.name or ".worlds.play_" in info.name
            continue
        source = inspect.getsource(module)
        for name, value in list(vars(module).items()):
            if getattr(value, "__module__", info.name) != info.name and not isinstance(value, re.Pattern):
                continue
            used = set(re.findall(rf"\b{re.escape(name)}\.(\w+)\(", source))
            for pattern in _iterate_patterns(_call_cached(value)):
                key = info.name, _text_of(pattern), pattern.flags if isinstance(pattern, re.Pattern) else 0
                found.setdefault(key, (pattern, set()))[1].update(used)
        for method, literal in _iterate_literals(ast.parse(source)):
            found.setdefault((info.name, literal, 0), (re.compile(literal), set()))[1].add(method)
    return {key: entry for key, entry in found.items() if not _is_imported(key, found)}


def _text_of(pattern: Any) -> str:
    return str(pattern.pattern)


def _is_imported(key: tuple[str, str, int], found: dict[tuple[str, str, int], Any]) -> bool:
    """Tell whether a module only imports an expression that another has."""
    module, text, _ = key
    if text not in inspect.getsource(importlib.import_module(module)):
        return any(other[1:] == key[1:] and other < key for other in found)
    return False


def _call_cached(value: Any) -> Any:
    """Call a cached function without arguments; everything else is what it is."""
    if not hasattr(value, "cache_info") or any(
        parameter.default is inspect.Parameter.empty
        for parameter in inspect.signature(value).parameters.values()
    ):
        return value
    try:
        return value()
    except Exception:
        return None


def _iterate_patterns(value: Any, depth: int = 4) -> Iterator[Any]:
    if hasattr(value, "pattern") and hasattr(value, "search"):
        if isinstance(value.pattern, str):
            yield value
    elif depth and isinstance(value, dict):
        for part in (*value.keys(), *value.values()):
            yield from _iterate_patterns(part, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from _iterate_patterns(part, depth - 1)
    elif depth and is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _iterate_patterns(getattr(value, field.name, None), depth - 1)


def _iterate_literals(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (method, expression) of calls such as re.sub("...", ...)."""
    for node in ast.walk(tree):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if not is_call or not isinstance(node.func.value, ast.Name) or node.func.value.id != "re":
            continue
        first = node.args[0] if node.args else None
        is_text = isinstance(first, ast.Constant) and isinstance(first.value, str)
        if is_text and node.func.attr in (*AT_ONCE, *SEARCHING):
            yield node.func.attr, first.value


@cache
def all_patterns() -> dict[str, tuple[Any, frozenset[str]]]:
    """Map a name that people recognize to each expression and how it is used."""
    named: dict[str, tuple[Any, frozenset[str]]] = {}
    for (module, text, _), (pattern, methods) in sorted(find_patterns().items(), key=lambda item: item[0]):
        name = f"{module}: {' '.join(text.split())[:60]}"
        while name in named:
            name += "'"
        named[name] = pattern, frozenset(methods)
    return named


def recipes_for(pattern: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (start, piece, end) of bad texts: a piece again and again, also one of the expression's words.

    What stands at the end fits nothing, so that every way to match is tried.
    """
    words = re.findall(r"[^\W\d_]{2,}", re.sub(r"\\[a-zA-Z]|\(\?\w*|\{[\d,]*\}", " ", _text_of(pattern)))[:12]
    own = [*(f"{word} " for word in words), *words]
    own += ["".join(words), " ".join(words) + " "] if words else []
    for piece in dict.fromkeys([*PIECES, *own]):
        yield "", piece, "\x00!"
    for start in own[:3]:
        for piece in (" ", "\n", "a", "a ", "1", "-", ".", "'", "(", "a."):
            yield start, piece, "\x00"


def build(recipe: tuple[str, str, str], size: int) -> str:
    start, piece, end = recipe
    return start + (piece * (size // len(piece) + 1))[:size] + end


def time_of(pattern: Any, methods: frozenset[str], text: str) -> float:
    """Return the seconds of computing that the slowest way to use an expression takes; infinite from 5 on."""
    is_searched = methods & set(SEARCHING) or not methods & set(AT_ONCE)
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, 5)
    try:
        if is_searched:
            for _ in pattern.finditer(text):
                pass
        else:
            for method in methods & set(AT_ONCE):
                getattr(pattern, method)(text)
    except TimeoutError:
        return math.inf
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return time.process_time() - started


def find_slow(pattern: Any, methods: frozenset[str]) -> str:
    """Return a text that an expression takes more than linear time for, shortened, or ""."""
    small, large = SIZES
    for recipe in recipes_for(pattern):
        short, long = build(recipe, small), build(recipe, large)
        if time_of(pattern, methods, short) < SUSPICIOUS:
            continue
        first = min(time_of(pattern, methods, short) for _ in range(2))
        is_worse = first >= SUSPICIOUS / 2 and time_of(pattern, methods, long) > QUADRATIC * first
        if is_worse or math.isinf(first):
            return f"{recipe[0]}{recipe[1] * 3}..."
    return ""


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Let expressions that never end be stopped: they look for signals now and then."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    yield
    signal.signal(signal.SIGPROF, before)


def test_expressions_are_found() -> None:
    names = " ".join(all_patterns())
    assert len(all_patterns()) > 100
    for module in ("ace.task.environments.sql.sqltext", "ace.text.keys", "ace.safety", "ace.playbook"):
        assert module in names


@pytest.mark.parametrize("part", sorted({name.split(".")[1].split(":")[0] for name in all_patterns()}))
def test_every_expression_is_linear(part: str) -> None:
    slow = {}
    for name, (pattern, methods) in all_patterns().items():
        if name.split(".")[1].split(":")[0] == part:
            text = find_slow(pattern, methods)
            if text:
                slow[name] = text
    assert slow == {}


@pytest.mark.parametrize("expression", [r"(a+)+b", r"\s+\n", r"<!--.*?-->", r"\w+@", r"[^\n]*x$"])
def test_what_is_quadratic_is_noticed(expression: str) -> None:
    assert find_slow(re.compile(expression), frozenset({"search"}))
