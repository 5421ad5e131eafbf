"""When a run gives up on a model or judge: out of reach several times in a row, or from the first one on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.task.types import Failure

_SEVERAL = 3  # fewer may be empty by chance


@dataclass(slots=True)
class OutageDetector:
    """Counts requests in a row that got no answer."""

    heard: bool = False
    """Whether one in this run got one."""

    length: int = 0
    """How many in a row have not."""

    is_patient: bool = False
    """Whether one that nobody answers may be chance: no client has tried it again."""

    def ends_run(self, failures: Sequence[Failure | None]) -> bool:
        """Tell whether to give up after these requests; None stands for one that was answered.

        Before anything was heard that is at once where the model is out of reach, and after several that it
        refuses. Later it takes several in a row that it is out of reach for: what it refuses is that
        request's own fault.
        """
        if not failures:
            return False
        if None in failures:
            self.heard, self.length = True, 0
            return False
        self.length += len(failures)
        several = self.length >= _SEVERAL
        unreachable = all(failure is Failure.UNREACHABLE for failure in failures)
        if self.heard:
            return several and unreachable
        return several or (unreachable and not self.is_patient)
