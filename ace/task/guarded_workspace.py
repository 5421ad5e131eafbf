"""The boundary between an agent and what it acts on: whatever a workspace does, it ends in one observation.

A workspace is somebody else's code. It may raise, hang, or return far too much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ace.errors import CapReached, WorkspaceFailed, describe_error
from ace.task.guarded_call import call_with_limit
from ace.task.trajectory import shorten_middle
from ace.task.types import Environment, Sample
from ace.task.workspace import Acting, Conversing, Observation, ToolCall, ToolSpec, Workspace

CALL_SECONDS = 60.0
"""The time that a tool has for a call, where its workspace does not limit its own."""

_LONGEST_OBSERVATION = 8_000  # characters
_LONGEST_ARTIFACT = 4_000_000  # characters
_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n"}


@dataclass(slots=True)
class GuardedWorkspace:
    """Pass calls on to a workspace, within limits of time and size.

    One that has not answered in time is not asked again: nobody knows what it still does.
    """

    inner: Workspace
    """The workspace that is guarded."""

    seconds: float = CALL_SECONDS
    """How long one call may take."""

    longest: int = _LONGEST_OBSERVATION
    """The most characters of an observation: a longer one loses its middle."""

    lost: str = field(default="", init=False)
    """Why it is not asked any more; "" as long as it is."""

    @property
    def repeats(self) -> bool:
        """Return whether the same call may do something else the next time."""
        return bool(getattr(self.inner, "repeats", False))

    @property
    def converses(self) -> bool:
        """Return whether somebody in it speaks to the agent."""
        return isinstance(self.inner, Conversing)

    def tools(self) -> Sequence[ToolSpec]:
        """Return its tools; none once it is lost. Raises WorkspaceFailed where it cannot say."""
        if self.lost:
            return ()
        return tuple(self._run(self.inner.tools))

    def call(self, call: ToolCall) -> Observation:
        """Return what comes of a call. A long text loses its middle, and says how much of it."""
        if self.lost:
            return Observation.error(self.lost, ends=True)
        try:
            observation = self._run(lambda: self.inner.call(call))
        except WorkspaceFailed as error:
            return Observation.error(error.message, ends=bool(self.lost))
        if not isinstance(observation, Observation):
            return Observation.error(f"{call.name} gave {observation!r:.60}")
        text = shorten_middle(str(observation.text).translate(_CONTROL), self.longest)
        return Observation(text or "(nothing)", observation.failed, observation.ends)

    def reply(self, text: str) -> Observation | None:
        """Return what somebody says to the agent's words; None where nobody does, or they are done.

        Raises WorkspaceFailed where they cannot be asked.
        """
        if self.lost or not isinstance(self.inner, Conversing):
            return None
        conversing = self.inner
        heard: Observation | None = self._run(lambda: conversing.reply(text))
        return heard

    def finish(self) -> dict[str, str]:
        """Return what is left in the end. Raises WorkspaceFailed where it cannot say, or says too much."""
        if self.lost:
            raise WorkspaceFailed(self.lost)
        left: Mapping[str, str] = self._run(self.inner.finish)
        artifacts = {str(name): str(text) for name, text in left.items()}
        size = sum(map(len, artifacts.values()))
        if size > _LONGEST_ARTIFACT:
            raise WorkspaceFailed(f"what is left of it has {size:,} characters, of {_LONGEST_ARTIFACT:,}")
        return artifacts

    def close(self) -> None:
        """Close it; what it raises then is of no use to anybody."""
        try:
            self._run(self.inner.close)
        except WorkspaceFailed:
            return

    def _run(self, function: Callable[[], Any]) -> Any:
        """Return what a function of the workspace returns. Raises CapReached, and WorkspaceFailed for all
        else.
        """
        try:
            if getattr(self.inner, "bounded", False):
                return function()
            return call_with_limit(function, self.seconds)
        except CapReached:
            raise
        except TimeoutError as error:
            self.lost = str(error) or f"it took more than {self.seconds:g} s"
            raise WorkspaceFailed(self.lost) from error
        except (Exception, SystemExit) as error:
            raise WorkspaceFailed(describe_error(error)) from error


@contextmanager
def open_workspace(
    environment: Environment, sample: Sample, seconds: float | None = None
) -> Iterator[GuardedWorkspace | None]:
    """Open what an attempt at a sample acts on; None where there is nothing. It is closed in the end.

    `seconds` are those of opening it, and of each call; CALL_SECONDS by default. An environment that is
    `bounded` limits its own time: it may wait until another workspace is closed. Raises WorkspaceFailed where
    it does not open in time, or at all.
    """
    if not isinstance(environment, Acting):
        yield None
        return
    seconds = seconds or CALL_SECONDS
    try:
        if getattr(environment, "bounded", False):
            inner = environment.open(sample)
        else:
            inner = call_with_limit(lambda: environment.open(sample), seconds)
    except CapReached:
        raise
    except (Exception, SystemExit) as error:
        raise WorkspaceFailed(f"it does not open ({describe_error(error)})") from error
    if inner is None:
        yield None
        return
    workspace = GuardedWorkspace(inner, seconds)
    try:
        yield workspace
    finally:
        workspace.close()
