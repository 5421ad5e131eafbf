"""When a run gives up on a model: out of reach for several requests in a row, or from the first one on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace.errors import ModelError, ModelUnavailable

OUT_OF_REACH = f"{ModelUnavailable.__name__}:"
FAILED = (OUT_OF_REACH, f"{ModelError.__name__}:")
_SEVERAL = 3  # fewer may be empty by chance


@dataclass(slots=True)
class Silence:
    """Requests in a row that got no answer; `broken`: one in this run got one."""

    broken: bool = False
    length: int = 0

    def ends_run(self, errors: Sequence[str]) -> str:
        """Of requests that all failed the first reason, if it is time to give up. An empty one is no failure.

        Before anything was heard that is at once where the model is out of reach, and after several that it
        refuses. Later it takes several in a row that it is out of reach for: what it refuses is that
        request's own fault.
        """
        if not errors:
            return ""
        if not all(errors):
            self.broken, self.length = True, 0
            return ""
        self.length += len(errors)
        several = self.length >= _SEVERAL
        away = all(error.startswith(OUT_OF_REACH) for error in errors)
        over = (several and away) if self.broken else (several or away)
        return errors[0] if over else ""
