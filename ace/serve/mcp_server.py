"""The playbook as a server of the Model Context Protocol: its tools, its resources, and its errors.

Whatever goes wrong in a tool is a result that says so, with the type of our error; the server lives on. This
module alone evaluates its annotations at once: the server reads its functions' signatures, with types of the
package `mcp`, which is imported inside functions.
"""

import inspect
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from ace.errors import AceError, InputError, UnknownVersion
from ace.llm.faults import hide
from ace.safety.injection import find_suspicion
from ace.serve.desk import Desk
from ace.serve.lessons import LONGEST, LONGEST_REASON, LONGEST_SECTION, Lesson
from ace.serve.results import (
    FoundBullets,
    History,
    LessonReceipt,
    OutcomeReceipt,
    PlaybookList,
    ShownContext,
    VersionPage,
)

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from mcp.types import CallToolResult, ToolAnnotations

LONGEST_TEXT = 20_000
"""The most characters of a question, an answer, or a text about one."""

_LOG = logging.getLogger("ace.serve")
_LONGEST_NAME = 200
_MOST_BUDGET = 100_000
_MOST_ROWS = 100
_LONGEST_AUTHOR = 60

_TITLE = "ace playbook"
_INSTRUCTIONS = """Lessons that were learned in earlier work.
Call get_context before you begin a piece of work, and follow the lessons that apply.
When you know how it went, call report_outcome with the context_id: right, wrong, or a score.
Call propose_lesson when you found out something that would have helped; it waits until it is proven."""

Question = Annotated[str, Field(max_length=LONGEST_TEXT, description="What is to be done, in full.")]
User = Annotated[
    str,
    Field(max_length=_LONGEST_NAME, description="For whom, where what is remembered of them matters."),
]
Budget = Annotated[
    int, Field(ge=0, le=_MOST_BUDGET, description="The most tokens of the context; 0 for the default.")
]
Name = Annotated[
    str,
    Field(
        max_length=_LONGEST_NAME,
        description="The name of a playbook; needed only where several are served (list_playbooks).",
    ),
]
ContextId = Annotated[
    str, Field(min_length=1, max_length=_LONGEST_NAME, description="The context_id of get_context.")
]
Outcome = Annotated[
    Literal["right", "wrong", "unknown"], Field(description="Whether the answer was right, if that is known.")
]
Score = Annotated[
    float | None, Field(ge=0, le=1, description="How good the answer was, from 0 to 1, where 1 is right.")
]
Remark = Annotated[
    str, Field(max_length=LONGEST_TEXT, description="What was wrong or right with it, in words.")
]
Expected = Annotated[str, Field(max_length=LONGEST_TEXT, description="The right answer, if it is known.")]
Answer = Annotated[
    str, Field(max_length=LONGEST_TEXT, description="The answer that was given; the first report keeps it.")
]
Query = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT, description="Words, or a question.")]
Rows = Annotated[int, Field(ge=1, le=_MOST_ROWS, description="How many, at most.")]
Section = Annotated[
    str,
    Field(
        max_length=LONGEST_TEXT,
        description=f"Its section, as strategies or pitfalls. At most {LONGEST_SECTION} characters.",
    ),
]
Content = Annotated[
    str,
    Field(
        max_length=LONGEST_TEXT,
        description=f"The lesson: what to do, and when. At most {LONGEST:,} characters.",
    ),
]
Reason = Annotated[
    str,
    Field(
        max_length=LONGEST_TEXT,
        description=f"Why it should be known. At most {LONGEST_REASON:,} characters.",
    ),
]
VersionName = Annotated[
    int | Annotated[str, Field(max_length=_LONGEST_NAME)],
    Field(description="A number, a branch or a tag; empty for the newest version."),
]


def make_server(desk: Desk) -> "MCPServer":
    """Return the server of a desk. Raises InputError where the package `mcp` is missing."""
    try:
        import mcp.server.mcpserver  # noqa: F401
    except ImportError as error:
        hint = "Install the extra `mcp`: pip install 'ace-engine[mcp]'."
        raise InputError("Serving a playbook needs the package mcp.", hint=hint) from error
    from importlib.metadata import version

    server = _make_server_class()(
        name="ace",
        title=_TITLE,
        instructions=_INSTRUCTIONS,
        version=version("ace-engine"),
        log_level="WARNING",
    )
    _add_working_tools(server, desk)
    _add_reading_tools(server, desk)
    _add_resources(server, desk)
    return server


def _make_server_class() -> type["MCPServer"]:
    """Return the class of the server, whose errors are ours."""
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError

    class PlaybookServer(MCPServer):
        """Turn every failure into one result that says what failed."""

        async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
            """Call a tool. Only errors of the protocol itself are raised."""
            try:
                return await super().call_tool(name, arguments, context)
            except ToolError as error:
                return _describe_failure(error.__cause__ or error)

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
                if isinstance(cause, UnknownVersion | InputError):
                    raise ResourceNotFoundError(_word_failure(cause)) from None
                raise ResourceError(_word_failure(cause)) from None

    return PlaybookServer


def _tool(
    server: "MCPServer", title: str, annotations: "ToolAnnotations"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return what adds a function as a tool. Its docstring is what models read of it."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        """Add the function, and return it."""
        about = inspect.getdoc(function)
        server.add_tool(function, title=title, description=about, annotations=annotations)
        return function

    return add


def _add_working_tools(server: "MCPServer", desk: Desk) -> None:
    """Add the tools that an agent works with."""
    from mcp.server.mcpserver import Context
    from mcp.types import ToolAnnotations

    adds = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
    )

    @_tool(server, "Get the lessons for a question", adds)
    def get_context(
        question: Question, user: User = "", budget: Budget = 0, playbook: Name = ""
    ) -> ShownContext:
        """Return the lessons that bear on a piece of work, as a text for the prompt.

        Call it before you begin. The result has a context_id, by which report_outcome says later what became
        of the work. That the context was given is recorded; the playbook does not change.
        """
        return desk.get_context(question, user, budget or None, playbook)

    @_tool(server, "Report what became of the work", adds)
    def report_outcome(
        context_id: ContextId,
        caller: Context,
        outcome: Outcome = "unknown",
        score: Score = None,
        feedback: Remark = "",
        expected: Expected = "",
        answer: Answer = "",
        playbook: Name = "",
    ) -> OutcomeReceipt:
        """Say whether an answer was right, and what was wrong with it. Lessons are learned from such reports.

        Give at least one of outcome, score, feedback and expected. It may be called again when more is known.
        """
        return desk.report_outcome(
            context_id,
            author=_name_author(caller),
            right={"right": True, "wrong": False}.get(outcome),
            score=score,
            feedback=feedback,
            expected=expected,
            answer=answer,
            playbook=playbook,
        )

    @_tool(server, "Propose a lesson", adds)
    def propose_lesson(
        section: Section, content: Content, caller: Context, reason: Reason = "", playbook: Name = ""
    ) -> LessonReceipt:
        """Propose a lesson for later work.

        It waits in quarantine, in no prompt, until it is proven or a person approves it. A lesson says how
        the work is done, for everybody. One that gives orders to the reader, carries markup, or holds what a
        user said is refused; what looks like a secret is hidden.
        """
        lesson = Lesson(section=section, content=content, reason=reason)
        return desk.propose_lesson(lesson, _name_author(caller), playbook)


def _add_reading_tools(server: "MCPServer", desk: Desk) -> None:
    """Add the tools that look things up and change nothing."""
    from mcp.types import ToolAnnotations

    reads = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )

    @_tool(server, "Search the lessons", reads)
    def search_bullets(query: Query, limit: Rows = 10, playbook: Name = "") -> FoundBullets:
        """Return the lessons that come nearest to some words or a question, by words and by meaning."""
        return desk.search_bullets(query, limit, playbook)

    @_tool(server, "List the versions", reads)
    def history(limit: Rows = 20, playbook: Name = "") -> History:
        """Return the newest versions of the playbook: who changed it, when and why."""
        return desk.history(limit, playbook)

    @_tool(server, "Show a version", reads)
    def show_version(version: VersionName = "", playbook: Name = "") -> VersionPage:
        """Return one version of the playbook: the lessons in it, and what it changed."""
        return desk.show_version(None if version == "" else version, playbook)

    @_tool(server, "List the playbooks", reads)
    def list_playbooks() -> PlaybookList:
        """Return the playbooks that are served here, by name."""
        return desk.list_playbooks()


def _add_resources(server: "MCPServer", desk: Desk) -> None:
    """Add the playbook itself as resources: those there are now by name, and templates for the rest."""
    markdown = "text/markdown"

    def read_current(playbook: str = "") -> str:
        """Return the lessons that are in use."""
        return desk.show_version(None, playbook).text

    def read_version(number: str, playbook: str = "") -> str:
        """Return the lessons of one version."""
        return desk.show_version(number, playbook).text

    def read_bullet(id: str, playbook: str = "") -> str:  # noqa: A002 (the name in the address)
        """Return one lesson as JSON."""
        return desk.show_bullet(id, playbook).model_dump_json(indent=2)

    @server.resource("playbook://current", name="current", mime_type=markdown)
    def read_the_only() -> str:
        """Return the lessons that are in use, where one playbook is served."""
        return read_current()

    if desk.shelf.place.is_dir():
        for name in desk.shelf.list_paths():
            _add_current(server, name, read_current)
    for uri, name, function, kind in (
        ("playbook://current{?playbook}", "current of a playbook", read_current, markdown),
        ("playbook://version/{number}{?playbook}", "version", read_version, markdown),
        ("playbook://bullet/{id}{?playbook}", "bullet", read_bullet, "application/json"),
    ):
        server.resource(uri, name=name, description=function.__doc__, mime_type=kind)(function)


def _add_current(server: "MCPServer", name: str, read_current: Callable[[str], str]) -> None:
    """Add the lessons of one playbook of several as a resource that is listed."""
    from urllib.parse import quote

    uri = f"playbook://current?playbook={quote(name, safe='')}"
    description = "Return the lessons of this playbook that are in use."
    server.resource(uri, name=name, description=description, mime_type="text/markdown")(
        lambda: read_current(name)
    )


def _name_author(caller: Any) -> str:
    """Return whose word a call is: the client's name as it gives it, made harmless, behind "mcp:"."""
    params = caller.session.client_params
    name = str(params.client_info.name) if params else ""
    name = re.sub(r"[^\w.+ -]+", "-", hide(name[:_LONGEST_NAME])).strip(" -")[:_LONGEST_AUTHOR]
    if not name or find_suspicion(name):
        name = "client"
    return f"mcp:{name}"


def _describe_failure(error: BaseException) -> "CallToolResult":
    """Return an error as the result of a tool: a sentence for a model, and its parts for programs."""
    from mcp.types import CallToolResult, TextContent

    return CallToolResult(
        content=[TextContent(type="text", text=_word_failure(error))],
        structured_content={"error": _read_failure(error)},
        is_error=True,
    )


def _word_failure(error: BaseException) -> str:
    """Return what failed, in a sentence for a model."""
    failure = _read_failure(error)
    rule = f" ({failure['rule']})" if "rule" in failure else ""
    return f"{failure['type']}{rule}: {failure['message']}"


def _read_failure(error: BaseException) -> dict[str, str]:
    """Return the type of an error, its message without secrets, and the rule that it names, if any.

    Wrong arguments are an InputError. Of a fault of ours only the type is told.
    """
    from mcp.server.mcpserver.exceptions import MCPServerError

    if isinstance(error, ValidationError):
        problems = []
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            place = ".".join(str(part) for part in problem["loc"][:1])
            problems.append(f"{place}: {problem['msg']}")
        return {"type": InputError.__name__, "message": f"{'; '.join(dict.fromkeys(problems))}."}
    if isinstance(error, MCPServerError):  # there is no such tool
        return {"type": InputError.__name__, "message": hide(str(error))}
    failure = {"type": type(error).__name__, "message": hide(str(error))}
    if not isinstance(error, AceError):
        _LOG.error("a request failed", exc_info=error)
        failure["message"] = "The server has a fault, which is in its log."
    elif "rule" in error.details:
        failure["rule"] = str(error.details["rule"])
    return failure
