"""Who learns, where several processes serve one playbook: one leads, and the others stand by until it ends.

The lead is a lock of the store (`Store.lead`), which the system or the server takes back when its process
ends or its connection is lost, and which is taken from one that gives no sign of life: its process hangs, or
its learner waits for something longer than anything may take. Whoever stands by asks for it once a second.
What is to be learned from is in the store, so nothing is handed over. What was learned from is named in the
steps, each in the transaction of its version. So of a leader that is killed, a piece of feedback was learned
from or not: there is nothing between.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event

from ace.errors import LeadLost, StoreBusy, StoreError, StoreUnreachable
from ace.runs.records import AnswerFeedback
from ace.store import Store
from ace.store.lead_signs import Pulse

_ASKS = 1.0  # seconds between two times that a process that stands by asks for the lead
_LOG = logging.getLogger("ace.learner")


@dataclass(slots=True)
class Seat:
    """Say where a process stands among those that serve a playbook.

    Whoever ends its part writes `stopped` and then `leaving`; the thread of its learner writes the rest. Any
    thread may read it.
    """

    leaving: Event = field(default_factory=Event)
    """Set to end the part of this process: then nothing is waited for."""

    stopped: str = ""
    """Why its part ends early; "" where it does not."""

    taken: Event = field(default_factory=Event)
    """Set once the process learns, or stands by."""

    leads: bool = False
    """Whether it learns."""

    run: int = 0
    """The run that what it does belongs to: that of its learner, or else one of its own."""

    lost: int = 0
    """The run of its learner that ended with its connection, and is not marked as ended; 0 for none."""

    stop: Event = field(default_factory=Event)
    """Set to end the run of its learner, from outside or by an error in one of its threads."""

    at_once: bool = False
    """Whether its part ends without learning from what waits."""

    failed_on: AnswerFeedback | None = None
    """What its learner was learning from when an error ended it; None where it was at nothing."""

    pulse: Pulse = field(default_factory=Pulse)
    """Beats while its learner gets on."""

    failing: bool = False
    """Whether an error ended its learner, and it has learned from nothing since."""

    def begin_run(self) -> Event:
        """Return the event that ends the next run of its learner."""
        self.failed_on = None
        self.stop = Event()
        if self.at_once:  # which is set before it is looked at which event to set
            self.stop.set()
        return self.stop

    def end_at_once(self) -> None:
        """End the part of this process, and the run of its learner where it stands."""
        self.at_once = True
        self.leaving.set()
        self.stop.set()

    def count_learned(self) -> None:
        """Note that something was learned from, which ends a series of errors."""
        if self.failing:
            self.failing = False
            _LOG.warning("This process learns again.")


@contextmanager
def lead_in_turn(
    store: Store, task: str, seat: Seat, stand_by: Callable[[], None] = lambda: None
) -> Iterator[bool]:
    """Wait for the lead of a task; yield True once this process has it, and keep it until the block ends.

    Yields False where `seat.leaving` is set before; it is asked for once more then. `stand_by` is called
    whenever it was asked for in vain. A server that does not answer is waited for. The block raises LeadLost
    or StoreUnreachable where the lead is lost; other errors of the store are raised as they come.
    """
    waited = leads = False
    with ExitStack() as stack:
        while True:
            is_last = seat.leaving.is_set()
            try:
                seat.pulse = Pulse()
                stack.enter_context(store.lead(task, seat.pulse))
                leads = True
            except (StoreBusy, StoreUnreachable) as error:
                if not waited and not seat.failing:  # which is logged once, until it learns again
                    _LOG.warning("%s This process stands by; what is reported to it is kept.", error.message)
                waited = True
                with suppress(StoreUnreachable):
                    stand_by()
                    seat.taken.set()
            with suppress(StoreError):
                if seat.lost and store.run(seat.lost).status == "running":
                    store.finish_run(seat.lost, "interrupted", None)
                seat.lost = 0
            if leads or is_last:
                break
            seat.leaving.wait(_ASKS)
        seat.leads = leads
        earlier = seat.run
        if waited and leads and not seat.failing:
            _LOG.warning("This process learns from feedback on %s from now on.", task)
        try:
            yield leads
        except (LeadLost, StoreUnreachable) as error:
            _LOG.warning("This process learns no longer. %s", error.message)
            if seat.run != earlier:  # else it was lost before a run began
                seat.lost = seat.run
            raise
        finally:
            seat.leads = False
