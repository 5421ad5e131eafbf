"""The ASGI application: feedback by the id of a reply, and everything else to the upstream."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from ace.errors import InputError, describe_error
from ace.runs.answer_feedback import read_feedback
from ace.servers.http_place import App, Receive, Scope, Send
from ace.servers.proxy.forward import Forwarder, Limits, read_body
from ace.servers.proxy.gate import Gate, Reason, Refusal, send_json, send_refusal
from ace.servers.proxy.projects import Project
from ace.servers.proxy.recorder_process import FeedbackFate, RecorderProcess
from ace.servers.proxy.shown import ShownTexts
from ace.servers.proxy.spool import FeedbackNote, SpoolWriter

if TYPE_CHECKING:
    from starlette.applications import Starlette

FEEDBACK_PATH = "/v1/feedback"
_KNOWN = ("right", "score", "expected", "text")
_LONGEST = 20_000  # characters of a text about an answer
_SEALS = 0.1  # seconds after which what was put into a spool can be read there
_FEEDBACK_WAIT = 10.0  # seconds that somebody who gives feedback waits for it to be recorded
_LOG = logging.getLogger("ace.proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPlan:
    """Say what to serve."""

    projects: Sequence[Project]
    hosts: frozenset[str]
    """The names by which clients may call this server, with the port."""

    limits: Limits
    trust: bool = False
    """Whether task folders from elsewhere may run their code in the process that records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackDesk:
    """Take feedback on replies: an ASGI application of its own."""

    gate: Gate
    spools: Mapping[str, SpoolWriter]
    """Those of the projects, by their names."""

    recorder: RecorderProcess
    limits: Limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with feedback. It is in the spool before the answer, whatever else goes wrong."""
        admission = self.gate.admit(scope)
        if isinstance(admission, Refusal):
            await send_refusal(send, admission)
            return
        body = await read_body(scope, receive, self.limits)
        if isinstance(body, Refusal):
            await send_refusal(send, body)
            return
        try:
            note = read_note(body or b"")
        except InputError as error:
            await send_refusal(send, Refusal(400, Reason.FEEDBACK, str(error)))
            return
        spool = self.spools[admission.project.name]
        name = spool.put(note)
        spool.seal()
        if not name:
            message = (
                "What waits to be recorded has no room for more: see the proxy's log, and send it again."
            )
            await send_refusal(send, Refusal(503, Reason.FULL, message, ((b"retry-after", b"60"),)))
            return
        fate, episode = FeedbackFate.WAITING, ""
        try:
            fate, episode = await self.recorder.wait_for(name, _FEEDBACK_WAIT)
        except Exception as error:  # it is kept, whatever became of the other process
            _LOG.warning("could not ask what became of feedback: %s", describe_error(error)[:300])
        if fate is FeedbackFate.UNKNOWN:
            message = f"No reply with the id {note.reply!r:.80} was recorded for this project."
            await send_refusal(send, Refusal(404, Reason.REPLY, message))
            return
        is_recorded = fate is FeedbackFate.RECORDED
        answer = {"response_id": note.reply, "recorded": is_recorded, "episode": episode}
        await send_json(send, 200 if is_recorded else 202, answer)


def read_note(body: bytes) -> FeedbackNote:
    """Return what somebody says of a reply. Raises InputError, which names the field."""
    hint = f'Send {{"response_id": "...", "right": false}}, or others of {", ".join(_KNOWN)}.'
    try:
        values: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("The feedback is not JSON.", hint=hint) from error
    if not isinstance(values, dict) or not isinstance(values.get("response_id"), str):
        raise InputError("The feedback has no response_id.", hint=hint)
    unknown = sorted(set(values) - {"response_id", *_KNOWN})
    if unknown:
        raise InputError(f"Nobody knows {unknown[0]!r:.60} in feedback.", hint=hint)
    for name in ("expected", "text"):
        if not isinstance(values.get(name, ""), str) or len(values.get(name, "")) > _LONGEST:
            raise InputError(f"Expected {name} as a text of at most {_LONGEST:,} characters.", hint=hint)
    if not isinstance(values.get("right"), bool | None):
        raise InputError("Expected right as true or false.", hint=hint)
    outcome = {name: values[name] for name in _KNOWN if values.get(name) is not None}
    row = read_feedback("", **outcome)
    if row is None:
        raise InputError("The feedback says nothing.", hint=hint)
    return FeedbackNote(
        reply=values["response_id"][:500],
        right=row.right,
        score=row.score,
        expected=row.expected,
        text=row.text,
    )


def make_application(plan: ProxyPlan, recorder: RecorderProcess | None = None) -> Starlette:
    """Return the application. Raises errors of reading the playbooks.

    `recorder` stands for the process that records, where something else reads the spools.
    """
    import httpx
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    texts = ShownTexts(plan.projects)
    spools = {project.name: SpoolWriter(project.playbook, plan.limits.spool) for project in plan.projects}
    gate = Gate(plan.projects, plan.hosts)
    recorder = recorder or RecorderProcess(plan.projects, trust=plan.trust)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=4.0)
    timeout = httpx.Timeout(plan.limits.silence, connect=15.0, pool=None)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # those of one caller are not another's
    client = httpx.AsyncClient(limits=limits, timeout=timeout, cookies=no_cookies)
    forwarder = Forwarder(client=client, texts=texts, spools=spools, limits=plan.limits)

    async def pass_on(scope: Scope, receive: Receive, send: Send) -> None:
        """Answer any other request."""
        if scope["type"] != "http":
            return
        admission = gate.admit(scope)
        if isinstance(admission, Refusal):
            await send_refusal(send, admission)
            return
        try:
            await forwarder.forward(admission, scope, receive, send)
        except Exception as error:  # a fault of ours: the connection ends, and the server goes on
            _LOG.error("a request could not be served: %s", describe_error(error)[:300])

    @asynccontextmanager
    async def live(app: Starlette) -> AsyncIterator[None]:
        """Follow playbooks and record for as long as the server lives."""
        with texts:
            await recorder.start()
            chores = asyncio.create_task(seal_spools(spools))
            gc.freeze()  # what is there by now stays: looking through it again and again takes time
            try:
                yield
            finally:
                chores.cancel()
                await client.aclose()
                for spool in spools.values():
                    spool.seal()
                await recorder.close()
                for spool in spools.values():
                    spool.note_dropped()

    feedback: App = FeedbackDesk(gate=gate, spools=spools, recorder=recorder, limits=plan.limits)
    routes = [Route(FEEDBACK_PATH, feedback, methods=["POST"]), Mount("/", app=pass_on)]
    return Starlette(routes=routes, lifespan=live)


async def seal_spools(spools: Mapping[str, SpoolWriter]) -> None:
    """Let the other process have what was put into the spools, again and again."""
    while True:
        await asyncio.sleep(_SEALS)
        for spool in spools.values():
            spool.seal()
            await spool.count_again()
