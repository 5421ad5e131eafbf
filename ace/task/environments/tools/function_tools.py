"""Typed Python functions as tools: the schema comes from signature and docstring, arguments are checked.

pydantic does both. It is imported on first use, because it takes 0.1 s.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_type_hints

from ace.errors import InputError
from ace.task.workspace import Observation, ToolCall, ToolSpec, to_text

_ARGUMENT_LINE = re.compile(r"^[ \t]*(?::param )?`?(\w+)`?:[ \t]*(\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class FunctionTool:
    """Offer one function. What it raises is an observation for the model, and so is what it returns."""

    function: Callable[..., Any]
    """Its parameters have types; its docstring says what a model is told."""

    @property
    def name(self) -> str:
        """Return the function's name."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    @cached_property
    def spec(self) -> ToolSpec:
        """Return what a model is told: the docstring's first paragraph, and a schema for each parameter.

        A line "name: text" of the docstring describes the argument of that name. Raises InputError for a
        parameter without a type, and for one of a type that JSON has not.
        """
        from pydantic import PydanticUserError

        documentation = inspect.getdoc(self.function) or ""
        notes = dict(_ARGUMENT_LINE.findall(documentation))
        properties: dict[str, Any] = {}
        required: list[str] = []
        for name, parameter in self._parameters.items():
            try:
                schema = dict(self._adapters[name].json_schema())
            except PydanticUserError as error:
                message = f"The parameter {name} of the tool {self.name} has a type that JSON has not."
                raise InputError(message, hint="Use str, int, float, bool, a list or a dict.") from error
            schema.pop("title", None)
            if name in notes:
                schema["description"] = notes[name].strip()
            if parameter.default is parameter.empty:
                required.append(name)
            properties[name] = schema
        first = re.split(r"\n\s*\n", documentation, maxsplit=1)[0]
        description = _ARGUMENT_LINE.sub("", first).strip() if notes else first
        parameters = {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
        return ToolSpec(self.name, " ".join(description.split()), parameters)

    def call(self, arguments: Mapping[str, Any]) -> Observation:
        """Call the function. A wrong argument, and whatever it raises, is an observation that failed."""
        from pydantic import ValidationError

        parameters = self._parameters
        unknown = [name for name in arguments if name not in parameters]
        missing = [
            name
            for name, parameter in parameters.items()
            if parameter.default is parameter.empty and name not in arguments
        ]
        if unknown or missing:
            return Observation.error(f"{self.name} takes the arguments ({', '.join(parameters)})")
        try:
            values = {name: self._adapters[name].validate_python(value) for name, value in arguments.items()}
        except ValidationError as error:
            wrong = error.errors()[0]
            return Observation.error(
                f"an argument of {self.name} is wrong: {wrong['msg']}, found {wrong['input']!r:.60}"
            )
        try:
            return Observation(to_text(self.function(**values)))
        except Exception as error:  # of somebody's own code: the model is told, and may do better
            return Observation.error(str(error) or type(error).__name__)

    @cached_property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        """Return the parameters by name, but for `*args` and `**kwargs`, which a model cannot give."""
        parameters = inspect.signature(self.function).parameters
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {name: parameter for name, parameter in parameters.items() if parameter.kind not in kinds}

    @cached_property
    def _adapters(self) -> Mapping[str, Any]:
        """Return what checks each argument, by name. Raises InputError for a parameter without a type."""
        from pydantic import ConfigDict, TypeAdapter

        hints = get_type_hints(self.function)
        config = ConfigDict(coerce_numbers_to_str=True)  # models write 31 for "31"
        adapters = {}
        for name in self._parameters:
            if name not in hints:
                hint = "Annotate it, as `amount: int`."
                raise InputError(f"The parameter {name} of the tool {self.name} has no type.", hint=hint)
            try:
                adapters[name] = TypeAdapter(hints[name], config=config)
            except Exception:  # a type with a configuration of its own
                adapters[name] = TypeAdapter(hints[name])
        return adapters


def read_functions(functions: Iterable[Callable[..., Any]]) -> dict[str, FunctionTool]:
    """Return tools by their names. Raises InputError for a name that comes twice, and as `spec` does."""
    tools: dict[str, FunctionTool] = {}
    for function in functions:
        tool = FunctionTool(function)
        if tools.setdefault(tool.spec.name, tool) is not tool:
            raise InputError(f"There are two tools of the name {tool.name}.", hint="Rename one of them.")
    return tools


def call_function(tools: Mapping[str, FunctionTool], call: ToolCall) -> Observation:
    """Return what comes of a call; one of an unknown tool names those there are."""
    tool = tools.get(call.name)
    if tool is None:
        return Observation.error(f"there is no tool {call.name}; there are {', '.join(tools)}")
    return tool.call(call.arguments)
