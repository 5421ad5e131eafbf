"""Runs the services of BFCL's multi-turn tasks (Patil et al., Berkeley Function-Calling Leaderboard).

The package runs calls as source text. Here a call is a name and values, and the method of that name is looked
up among those that its documentation lists. Names of modules come from the package, so they are imported
by name.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

from ace.task.environments.worlds.serve_world import require, serve

_CONFIGURATION = "bfcl_eval.constants.executable_backend_config"
_TYPES = {"dict": "object", "float": "number", "tuple": "array"}
_LONGEST_VALUE = 200  # characters
_SERVICES = (
    "GorillaFileSystem",
    "MathAPI",
    "MessageAPI",
    "TicketAPI",
    "TradingBot",
    "TravelAPI",
    "TwitterAPI",
    "VehicleControlAPI",
)


class Services:
    """Hold the instances of a scenario, and their methods by name."""

    def __init__(self, classes: Sequence[str], config: Mapping[str, Any], long_context: bool) -> None:
        configuration = import_module(_CONFIGURATION)
        unknown = [name for name in classes if name not in _SERVICES]
        if unknown:
            raise ValueError(f"there is no class {unknown[0]}; there are {', '.join(_SERVICES)}")
        self.instances: dict[str, Any] = {}
        self.methods: dict[str, Callable[..., Any]] = {}
        for name in classes:
            module = import_module(configuration.CLASS_FILE_PATH_MAPPING[name])
            instance = getattr(module, name)()
            if name not in configuration.STATELESS_CLASSES:
                instance._load_scenario(deepcopy(config.get(name, {})), long_context=long_context)
            self.instances[name] = instance
            for method, function in inspect.getmembers(instance, predicate=inspect.ismethod):
                if not method.startswith("_"):
                    self.methods[method] = function

    def call(self, name: str, positional: Sequence[Any], arguments: Mapping[str, Any]) -> tuple[str, bool]:
        """Return the text of a result as BFCL writes it, and whether it is an error."""
        try:
            result = self.methods[name](*positional, **arguments)
        except Exception as error:  # of the service: the agent is told
            return f"Error during execution: {error}", True
        if isinstance(result, str):
            return result, False
        if not isinstance(result, dict):
            return str(result), False
        try:
            text = json.dumps(result)
        except (TypeError, ValueError):
            text = str(result)
        return text, "error" in result

    def differ(self, other: Services) -> list[str]:
        """Return what is different in the public state of each instance: "TradingBot.balance: 5, not 7"."""
        differences: list[str] = []
        for name, instance in self.instances.items():
            for attribute, right in vars(other.instances[name]).items():
                value = getattr(instance, attribute)
                if not attribute.startswith("_") and value != right:
                    texts = f"{value!r:.{_LONGEST_VALUE}}, not {right!r:.{_LONGEST_VALUE}}"
                    differences.append(f"{name}.{attribute}: {texts}")
        return differences


class MultiTurn:
    """Answer the requests for one scenario: of the attempt that goes on, or of a comparison."""

    def __init__(self) -> None:
        require("bfcl_eval", "bfcl")
        self.services = Services((), {}, False)

    def start(
        self, classes: list[str], config: dict[str, Any], long_context: bool = False
    ) -> list[dict[str, Any]]:
        """Make the instances; return the tools that they offer."""
        self.services = Services(classes, config, long_context)
        configuration = import_module(_CONFIGURATION)
        package = Path(str(import_module("bfcl_eval").__file__)).parent
        tools: list[dict[str, Any]] = []
        for name in classes:
            file = configuration.MULTI_TURN_FUNC_DOC_FILE_MAPPING[name]
            text = (package / "data" / "multi_turn_func_doc" / file).read_text(encoding="utf-8")
            for line in filter(None, text.splitlines()):
                entry = json.loads(line)
                parameters = _to_schema(entry["parameters"]) | {"additionalProperties": False}
                tools.append(
                    {"name": entry["name"], "description": entry["description"], "parameters": parameters}
                )
        return tools

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a method by its name."""
        text, failed = self.services.call(name, (), arguments)
        return {"text": text, "failed": failed}

    def compare(
        self,
        turns: list[list[dict[str, Any]]],
        gold: list[list[str]],
        classes: list[str],
        config: dict[str, Any],
        long_context: bool = False,
    ) -> dict[str, Any]:
        """Do the calls of an attempt and the right ones, turn by turn, until they come out differently.

        A turn is right, as BFCL has it, where the state of the instances is the same, and each result of a
        right call was seen by then. Turns without right calls are not judged.
        """
        actual = Services(classes, config, long_context)
        right = Services(classes, config, long_context)
        seen: list[str] = []
        judged = sum(1 for calls in gold if calls)
        good = 0
        for number, right_calls in enumerate(gold):
            calls = turns[number] if number < len(turns) else []
            seen += [actual.call(call["name"], (), call["arguments"])[0] for call in calls]
            expected = [right.call(*read_call(source))[0] for source in right_calls]
            if not right_calls:
                continue
            differences = actual.differ(right)
            if not calls:
                differences.append(f"no call in turn {number + 1}")
            rest = list(seen)
            for source, text in zip(right_calls, expected, strict=True):
                if text in rest:
                    rest.remove(text)
                else:
                    differences.append(f"nothing returned what {source} returns")
            if differences:
                return {"good": good, "judged": judged, "turn": number + 1, "differences": differences}
            good += 1
        return {"good": good, "judged": judged, "turn": 0, "differences": []}


def read_call(source: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Return name and arguments of a call with literal values, as "cd(folder='x')". Nothing is run.

    Raises ValueError for all else.
    """
    try:
        call = ast.parse(source.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"not a call: {source!r:.80}") from error
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError(f"not a call: {source!r:.80}")
    positional = [ast.literal_eval(value) for value in call.args]
    named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    return call.func.id, positional, named


def _to_schema(value: Any) -> Any:
    """Return a schema with the names of types that JSON Schema has."""
    if isinstance(value, list):
        return [_to_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    schema = {key: _to_schema(item) for key, item in value.items() if key != "response"}
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = _TYPES.get(kind, kind)
        if kind == "any":
            del schema["type"]
    return schema


if __name__ == "__main__":
    serve(MultiTurn, ("start", "call", "compare"))
