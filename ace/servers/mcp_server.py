"""The playbook as a server of the Model Context Protocol: its tools, its resources, and its errors.

Whatever goes wrong in a tool is a result that says so, with the type of our error; the server lives on. This
module alone evaluates its annotations at once: the server reads its functions' signatures, with types of the
package `mcp`, which is imported inside functions.
"""

import inspect
import logging
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import ValidationError

from ace.errors import AceError, InputError, UnknownVersion
from ace.llm.faults import hide
from ace.runs.answer_feedback import read_feedback
from ace.safety.secrets import hide_secrets
from ace.servers.arguments import (
    LONGEST_NAME,
    Answer,
    Content,
    ContextId,
    Expected,
    Outcome,
    PlaybookName,
    Remark,
    Score,
    Section,
    WhyKnown,
)
from ace.servers.author_names import name_author
from ace.servers.desk import Desk
from ace.servers.lessons import check_lesson
from ace.servers.results import LessonReceipt, OutcomeReceipt

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from mcp.types import CallToolResult

_LOG = logging.getLogger("ace.servers")
_INSTRUCTIONS = """Lessons that were learned in earlier work.
Call get_context before you begin a piece of work, and follow the lessons that apply.
When you know how it went, call report_outcome with the context_id: right, wrong, or a score.
Call propose_lesson when you found out something that would have helped; it waits until it is proven."""


def make_server(desk: Desk) -> "MCPServer":
    """Return the server of a desk. Raises InputError where the package `mcp` is missing."""
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
    except ImportError as error:
        hint = "Install the extra `mcp`: pip install 'ace-engine[mcp]'."
        raise InputError("Serving a playbook needs the package mcp.", hint=hint) from error
    from importlib.metadata import version

    class PlaybookServer(MCPServer):
        """Turn every failure into one that says what failed."""

        async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
            """Call a tool. Only errors of the protocol itself are raised."""
            try:
                return await super().call_tool(name, arguments, context)
            except ToolError as error:
                return describe_failure(error.__cause__ or error)

        async def read_resource(self, uri: Any, context: Any = None) -> Any:
            """Read a resource. Raises ResourceError with our words."""
            try:
                return await super().read_resource(uri, context)
            except ResourceNotFoundError:
                raise
            except ResourceError as error:
                cause: BaseException = error
                while cause.__cause__ is not None:
                    cause = cause.__cause__
                is_unknown = isinstance(cause, UnknownVersion | InputError)
                kind = ResourceNotFoundError if is_unknown else ResourceError
                (content,) = describe_failure(cause).content
                raise kind(getattr(content, "text", "")) from None

    server = PlaybookServer(
        name="ace",
        title="ace playbook",
        instructions=_INSTRUCTIONS,
        version=version("ace-engine"),
        log_level="WARNING",
    )
    _add_tools(server, desk, _make_writing_tools(desk))
    _add_resources(server, desk)
    return server


def _make_writing_tools(desk: Desk) -> dict[str, Callable[..., Any]]:
    """Return the tools that write, by their titles: whose word a call is counts there."""
    from mcp.server.mcpserver import Context

    def report_outcome(
        context_id: ContextId,
        caller: Context,
        outcome: Outcome = "unknown",
        score: Score = None,
        feedback: Remark = "",
        expected: Expected = "",
        answer: Answer = "",
        playbook: PlaybookName = "",
    ) -> OutcomeReceipt:
        """Say whether an answer was right, and what was wrong with it. Lessons are learned from such reports.

        Give at least one of outcome, score, feedback and expected. It may be called again when more is known.
        """
        right = {"right": True, "wrong": False}.get(outcome)
        author = _name_author(caller)
        row = read_feedback(context_id, feedback, right=right, score=score, expected=expected, author=author)
        if row is None:
            hint = "Give outcome, score, expected or feedback."
            raise InputError("This says nothing of the outcome.", hint=hint)
        return desk.report_outcome(row, answer, playbook)

    def propose_lesson(
        section: Section,
        content: Content,
        caller: Context,
        reason: WhyKnown = "",
        playbook: PlaybookName = "",
    ) -> LessonReceipt:
        """Propose a lesson for later work.

        It waits in quarantine, in no prompt, until it is proven or a person approves it. A lesson says how
        the work is done, for everybody. One that gives orders to the reader, carries markup, or holds what a
        user said is refused; what looks like a secret is hidden.
        """
        bullet = check_lesson(section, content, reason)
        return desk.propose_lesson(bullet, reason, _name_author(caller), playbook)

    return {
        "Get the lessons for a question": desk.get_context,
        "Report what became of the work": report_outcome,
        "Propose a lesson": propose_lesson,
    }


def _add_tools(server: "MCPServer", desk: Desk, writes: dict[str, Callable[..., Any]]) -> None:
    """Add the tools that write, and those that only read. Their docstrings are what models read of them."""
    from mcp.types import ToolAnnotations

    reads: dict[str, Callable[..., Any]] = {
        "Search the lessons": desk.search_bullets,
        "List the versions": desk.history,
        "Show a version": desk.show_version,
        "List the playbooks": desk.list_playbooks,
    }
    for title, function in (*writes.items(), *reads.items()):
        only_reads = title in reads
        annotations = ToolAnnotations(
            read_only_hint=only_reads,
            destructive_hint=False,
            idempotent_hint=only_reads,
            open_world_hint=False,
        )
        about = inspect.getdoc(function)
        server.add_tool(function, title=title, description=about, annotations=annotations)


def _add_resources(server: "MCPServer", desk: Desk) -> None:
    """Add the playbook itself as resources: those there are now by name, and templates for the rest."""

    def read_version(number: str = "", playbook: str = "") -> str:
        """Return the lessons of one version."""
        return desk.show_version(number, playbook).text

    def read_current(playbook: str = "") -> str:
        """Return the lessons that are in use."""
        return read_version("", playbook)

    def read_bullet(id: str, playbook: str = "") -> str:  # noqa: A002 (the name in the address)
        """Return one lesson as JSON."""
        return desk.show_bullet(id, playbook).model_dump_json(indent=2)

    place = desk.shelf.place
    is_folder = isinstance(place, Path) and place.is_dir()
    names = list(desk.shelf.list_paths()) if is_folder else [""]
    for name in names:
        uri = f"playbook://current?playbook={quote(name, safe='')}" if name else "playbook://current"
        about = f"The lessons of {name} that are in use." if name else "The lessons that are in use."
        resource = server.resource(uri, name=name or "current", description=about, mime_type="text/markdown")
        resource(partial(read_current, name))
    for path, function, kind in (
        ("current", read_current, "text/markdown"),
        ("version/{number}", read_version, "text/markdown"),
        ("bullet/{id}", read_bullet, "application/json"),
    ):
        uri = f"playbook://{path}{{?playbook}}"
        name = path.partition("/")[0]
        server.resource(uri, name=name, description=function.__doc__, mime_type=kind)(function)


def _name_author(caller: Any) -> str:
    """Return whose word a call is: the client's name as it gives it, made harmless, behind "mcp:"."""
    params = caller.session.client_params
    name = str(params.client_info.name) if params else ""
    return name_author("mcp", hide_secrets(name[:LONGEST_NAME]), "client")


def describe_failure(error: BaseException) -> "CallToolResult":
    """Return an error as the result of a tool: a sentence for a model, and its parts for programs.

    The parts are its type, its message without secrets, and the rule that it names, if any. Wrong arguments
    are an InputError. Of a fault of ours only the type is told.
    """
    from mcp.server.mcpserver.exceptions import MCPServerError
    from mcp.types import CallToolResult, TextContent

    name, message, rule = type(error).__name__, str(error), ""
    if isinstance(error, ValidationError):
        problems = []
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            problems.append(f"{problem['loc'][0]}: {problem['msg']}")
        name, message = InputError.__name__, f"{'; '.join(dict.fromkeys(problems))}."
    elif isinstance(error, MCPServerError):  # there is no such tool
        name = InputError.__name__
    elif isinstance(error, AceError):
        rule = str(error.details.get("rule", ""))
    else:
        place = traceback.extract_tb(error.__traceback__)[-1:]
        _LOG.error("%s at %s", hide(f"{name}: {message}"), place)
        message = "The server has a fault, which is in its log."
    message = hide(message)
    values = {"type": name, "message": message}
    if rule:
        values["rule"] = rule
        name = f"{name} ({rule})"
    content = [TextContent(type="text", text=f"{name}: {message}")]
    return CallToolResult(content=content, structured_content={"error": values}, is_error=True)
