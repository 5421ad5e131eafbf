"""Checks a call against the schema of its tool, and says what can be seen of calls that were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ace.task.workspace import ToolCall, ToolSpec

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}


def find_problem(specs: Iterable[ToolSpec], call: ToolCall) -> str:
    """Return why a call cannot be made, "" where it can: names, and the types of its arguments."""
    known = {spec.name: spec for spec in specs}
    spec = known.get(call.name)
    if spec is None:
        return f"there is no tool {call.name}; there are {', '.join(known)}"
    names = set(call.arguments)
    if not spec.required <= names or not names <= set(spec.arguments):
        return f"{spec.name} takes the arguments ({', '.join(spec.arguments)})"
    for name, value in call.arguments.items():
        wanted = spec.parameters["properties"][name].get("type", "")
        expected = [wanted] if isinstance(wanted, str) else wanted  # a list means any of them
        types = tuple(kind for word in expected for kind in _TYPES.get(word, (object,)))
        is_wrong_bool = isinstance(value, bool) and bool not in types and object not in types
        if is_wrong_bool or not isinstance(value, types):
            choice = " or ".join(expected)
            return f"the argument {name} of {spec.name} has to be of the type {choice}, found {value!r:.60}"
    return ""
