"""Measures the shape of the code by its syntax trees: `python -m tests.shape` prints them, `test_shape`
bounds them.

They are places to look at, no verdicts: a function that is cut to fit a number is worse than the number.
"""

from __future__ import annotations

import ast
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
GENERAL = {"loop", "methods", "agent", "context", "refine"}  # no word of one environment stands here
SQL = re.compile(r"gold_sql|sqlglot|\bSQL\b|\bJOIN\b|\bSELECT\b|\bcolumns?\b")
IRREGULAR = {
    "made",
    "held",
    "told",
    "seen",
    "said",
    "found",
    "known",
    "shown",
    "kept",
    "begun",
    "bound",
    "broken",
    "gone",
    "left",
    "met",
    "led",
    "written",
}
VERBS_IN_ED = {"embed", "feed", "need", "seed", "speed"}
VAGUE = {
    "told",
    "said",
    "made",
    "found",
    "held",
    "known",
    "kept",
    "shown",
    "given",
    "each",
    "done",
    "met",
    "left",
    "gone",
    "other",
    "one",
}
NO_VERB = {
    "what",
    "whether",
    "which",
    "who",
    "where",
    "how",
    "those",
    "that",
    "of",
    "as",
    "with",
    "one",
    "when",
    "the",
    "a",
    "an",
    "all",
    "some",
    "nothing",
    "everything",
    "and",
    "also",
}
SHARED_NAMES = {name for kind in (dict, list, set, str, bytes, tuple, int) for name in dir(kind)} | {
    "add",
    "begin",
    "check",
    "close",
    "commit",
    "delete",
    "end",
    "execute",
    "fetch",
    "get",
    "map",
    "name",
    "open",
    "put",
    "read",
    "run",
    "search",
    "select",
    "send",
    "start",
    "step",
    "stop",
    "update",
    "write",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = tuple[str, str]  # module, qualified name


@dataclass
class Module:
    """One parsed file of the package."""

    name: str
    path: Path
    source: str
    tree: ast.Module
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)  # local name -> module, name

    @property
    def folder(self) -> str:
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""


@cache
def modules() -> tuple[Module, ...]:
    """Parse the package."""
    found = []
    for path in sorted((ROOT / "ace").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        source = path.read_text(encoding="utf-8")
        module = Module(name, path, source, ast.parse(source))
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    module.imports[alias.asname or alias.name] = (node.module, alias.name)
        found.append(module)
    return tuple(found)


@cache
def definitions() -> Mapping[Definition, Function]:
    """Map every function and method to its node."""
    found: dict[Definition, Function] = {}
    for module in modules():
        for node in module.tree.body:
            if isinstance(node, Function):
                found[module.name, node.name] = node
            elif isinstance(node, ast.ClassDef):
                for member in node.body:
                    if isinstance(member, Function):
                        found[module.name, f"{node.name}.{member.name}"] = member
    return found


@cache
def call_graph() -> Mapping[Definition, set[Definition]]:
    """Map every function to those it calls, as far as names tell."""
    known, by_name = definitions(), {module.name: module for module in modules()}
    owners = defaultdict(list)
    for module_name, qualified in known:
        if "." in qualified:
            owners[qualified.split(".")[1]].append((module_name, qualified))

    def resolve(module: str, name: str) -> Definition | None:
        for _ in range(5):
            for candidate in (name, f"{name}.__init__"):
                if (module, candidate) in known:
                    return module, candidate
            if module not in by_name or name not in by_name[module].imports:
                return None
            module, name = by_name[module].imports[name]
        return None

    def target(call: ast.Call, caller: Definition) -> Definition | None:
        module, qualified = caller
        function = call.func
        if isinstance(function, ast.Name):
            return resolve(module, function.id)
        if not isinstance(function, ast.Attribute):
            return None
        if isinstance(function.value, ast.Name):
            owner = function.value.id
            if owner == "self":
                own = (module, f"{qualified.split('.')[0]}.{function.attr}")
                if own in known:
                    return own
            elif owner in by_name[module].imports:
                package, name = by_name[module].imports[owner]
                if found := resolve(f"{package}.{name}", function.attr):
                    return found
        candidates = owners.get(function.attr, [])
        unique = len(candidates) == 1 and function.attr not in SHARED_NAMES
        return candidates[0] if unique else None

    graph: dict[Definition, set[Definition]] = {}
    for caller, node in known.items():
        calls = (target(call, caller) for call in ast.walk(node) if isinstance(call, ast.Call))
        graph[caller] = {callee for callee in calls if callee and callee != caller}
    return graph


def longest_chain() -> list[Definition]:
    """Return the longest chain of calls; a function that is under way is not entered again."""
    graph, memory = call_graph(), dict[Definition, list[Definition]]()

    def longest_from(start: Definition, under_way: frozenset[Definition]) -> list[Definition]:
        if start not in memory:
            tails = [longest_from(n, under_way | {start}) for n in sorted(graph[start]) if n not in under_way]
            memory[start] = [start, *max(tails, key=len, default=[])]
        return memory[start]

    return max((longest_from(start, frozenset()) for start in sorted(graph)), key=len)


def small_helpers() -> list[Definition]:
    """Return private functions of at most five lines that one place calls."""
    callers = Counter(callee for callees in call_graph().values() for callee in callees)
    small = []
    for (module, qualified), node in definitions().items():
        name = qualified.split(".")[-1]
        private = name.startswith("_") and not name.startswith("__")
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if private and lines <= 5 and callers[module, qualified] == 1:
            small.append((module, qualified))
    return small


def nodes(kind: type[ast.AST]) -> Iterator[tuple[Module, ast.AST]]:
    """Yield every node of a kind with its module."""
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, kind):
                yield module, node


def functions() -> list[tuple[Module, Function]]:
    """Return every function, nested ones too."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [(m, node) for kind in kinds for m, node in nodes(kind) if isinstance(node, Function)]


def participles() -> list[str]:
    """Return functions whose whole name is one participle."""
    found = []
    for module, node in functions():
        name = node.name.strip("_")
        regular = name.endswith("ed") and len(name) > 4 and name not in VERBS_IN_ED
        if "_" not in name and (regular or name in IRREGULAR):
            found.append(f"{module.name}:{node.lineno} {node.name}")
    return found


def docstrings_without_verb() -> list[str]:
    """Return functions whose docstring opens with a word that is no verb."""
    found = []
    for module, node in functions():
        text = ast.get_docstring(node) or ""
        if text and text.split()[0].strip("`\"'(").lower() in NO_VERB:
            found.append(f"{module.name}:{node.lineno} {node.name}")
    return found


def long_calls() -> list[str]:
    """Return calls with six or more positional arguments."""
    found = []
    for module, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        if sum(not isinstance(argument, ast.Starred) for argument in node.args) >= 6:
            found.append(f"{module.name}:{node.lineno}")
    return found


def vague_identifiers() -> int:
    """Count uses of names that say nothing."""
    names = sum(node.id in VAGUE for _, node in nodes(ast.Name) if isinstance(node, ast.Name))
    arguments = sum(node.arg in VAGUE for _, node in nodes(ast.arg) if isinstance(node, ast.arg))
    return names + arguments


def sql_lines() -> list[str]:
    """Return lines of general layers that speak of SQL."""
    found = []
    for module in modules():
        if module.folder in GENERAL:
            for number, line in enumerate(module.source.splitlines(), start=1):
                if SQL.search(line):
                    found.append(f"{module.name}:{number}")
    return found


def repeated_names() -> list[str]:
    """Return names that several modules share."""
    names = Counter(module.path.name for module in modules() if module.path.name != "__init__.py")
    return [name for name, count in names.items() if count > 1]


def import_cycles() -> list[str]:
    """Return packages that import each other, directly or by a detour."""
    edges: dict[str, set[str]] = defaultdict(set)
    for module in modules():
        for target, _ in module.imports.values():
            parts = target.split(".")
            if parts[0] == "ace" and len(parts) > 1 and parts[1] != module.folder and module.folder:
                edges[module.folder].add(parts[1])

    def reaches(start: str, goal: str) -> bool:
        seen, queue = set[str](), [start]
        while queue:
            for step in edges[queue.pop()] - seen:
                if step == goal:
                    return True
                seen.add(step)
                queue.append(step)
        return False

    return [package for package in sorted(edges) if reaches(package, package)]


def measures() -> dict[str, float]:
    """Return every measure by its name."""
    lines = sum(module.source.count("\n") for module in modules())
    every, classes = functions(), sum(1 for _ in nodes(ast.ClassDef))
    sizes = sorted((node.end_lineno or node.lineno) - node.lineno + 1 for _, node in every)
    documented = sum(bool(ast.get_docstring(node)) for _, node in every)
    per_thousand = 1000 / lines
    return {
        "files": len(modules()),
        "lines": lines,
        "functions and classes per 1,000 lines": round((len(every) + classes) * per_thousand, 1),
        "function median": statistics.median(sizes),
        "function longest": sizes[-1],
        "longest static call chain": len(longest_chain()),
        "private helpers of at most 5 lines with one caller": len(small_helpers()),
        "bare participle names %": round(100 * len(participles()) / len(every), 1),
        "vague identifiers per 1,000 lines": round(vague_identifiers() * per_thousand, 1),
        "docstrings without a verb %": round(100 * len(docstrings_without_verb()) / documented, 1),
        "calls with six or more positional arguments": len(long_calls()),
        "lines that speak of SQL in general layers": len(sql_lines()),
        "module names used twice": len(repeated_names()),
        "import cycles between packages": len(import_cycles()),
        "README lines": (ROOT / "README.md").read_text(encoding="utf-8").count("\n"),
    }


def main() -> None:
    for name, value in measures().items():
        print(f"{value:>8}  {name}")
    print("longest chain: " + " > ".join(f"{module}:{name}" for module, name in longest_chain()))


if __name__ == "__main__":
    main()
