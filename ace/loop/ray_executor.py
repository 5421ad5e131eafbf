"""The executor that works on items as tasks of Ray, on this machine or a cluster.

The process of the run packs what a map needs into one parcel, hands out items, and folds in what comes back,
in the order of the items: it alone writes to the playbook file. Workers call models themselves; what they
ask of home (`ace.loop.stand_ins`) comes through a relay, an actor beside this process.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from time import monotonic
from typing import Any, TypeVar
from uuid import uuid4

from ace.errors import AceError, BudgetSpent, CapReached, InputError, describe_error
from ace.llm.meter import Meter, mark_calls
from ace.loop import ray_remote
from ace.loop.executor import GRACE
from ace.loop.lab import RunStopped, SampleBench, StepLab
from ace.loop.parcel import Parcel
from ace.loop.stand_ins import Home, HomeMethod, ItemCalls

T = TypeVar("T")
R = TypeVar("R")

Outcome = tuple[bool, Any, dict[tuple[str, str], SampleBench]]
"""Whether there is a result of an item, the result or the error, and the benches it recorded on."""

_TRIES = 3  # at an item whose worker dies
_LOOK = 0.5  # seconds between two looks at whether the run was stopped
_DESERTED = 120.0  # seconds that a cluster may be without nodes for tasks
_END = 2.0  # seconds that cancelled tasks have to end


@dataclass(slots=True)
class _Flight:
    """Hold one item that is worked on."""

    place: int
    """Its place in the map."""

    item: str
    """The name that its model calls are counted for."""

    calls: ItemCalls
    parcel: Parcel
    home: Home

    name: str = ""
    """That of the latest try; messages of earlier ones are not listened to."""

    tries: int = 0


@dataclass(slots=True)
class _Work:
    """Hold a map under way."""

    content: Any
    """Refers to the parcel in Ray's memory."""

    waiting: deque[_Flight]
    """Items that have not begun, or whose worker died."""

    number: str = field(default_factory=lambda: uuid4().hex)

    flying: dict[Any, _Flight] = field(default_factory=dict)
    """Items that are worked on, by their task."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """What came of others, by their place, until it is taken in."""

    alive: float = field(default_factory=monotonic)
    """When the cluster was last seen with a CPU."""


class RayExecutor:
    """Work on items as tasks of Ray, each with one CPU. Belongs to the thread of its run."""

    def __init__(self, meter: Meter, workers: int, stop: threading.Event) -> None:
        """Begin to listen. At most `workers` items are worked on at once; Ray is connected."""
        import ray

        # Sent as code, so that a worker can say that the package is missing.
        ray.cloudpickle.register_pickle_by_value(ray_remote)
        self._meter, self._workers, self._stop = meter, workers, stop
        self._version = version("ace-engine")
        self._flights: dict[str, _Flight] = {}
        # Beside this process, which is asked through it.
        node = ray.get_runtime_context().get_node_id()
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
        options = {"num_cpus": 0, "max_concurrency": 10_000, "scheduling_strategy": here}
        self._relay = ray.remote(ray_remote.Relay).options(**options).remote()
        self._task = ray.remote(ray_remote.run_item).options(
            num_cpus=1, max_retries=0, scheduling_strategy="SPREAD"
        )
        self._answering = ThreadPoolExecutor(workers + 1, thread_name_prefix="home")
        threading.Thread(target=self._listen, name="relay", daemon=True).start()

    def close(self) -> None:
        """End the relay. Tasks under way are cancelled already."""
        import ray

        self._flights.clear()
        ray.kill(self._relay)
        self._answering.shutdown(wait=False, cancel_futures=True)

    def map(
        self, lab: StepLab, work: Callable[[T], R], items: Sequence[T], name: Callable[[T], str]
    ) -> Iterator[R]:
        """Yield the results in order; see `Executor`. A worker that dies costs its item another try.

        Raises InputError where the work cannot be sent, AceError where three workers died of one item.
        """
        import ray

        if not items:
            return
        names = [name(item) for item in items]
        home = Home(lab.place.task.context.sources)
        try:
            parcel = Parcel.of((lab, work, items, names), home)
        except Exception as error:  # whatever somebody's own objects raise
            raise _explain_unpackable(lab, home, error) from error
        calls = [ItemCalls(self._meter) for _ in items]
        flights = deque(
            _Flight(place, names[place], calls[place], parcel, home) for place in range(len(items))
        )
        state = _Work(ray.put(parcel.content), flights)
        try:
            for place in range(len(items)):
                while place not in state.outcomes:
                    self._advance(state)
                    if self._stop.is_set():
                        raise RunStopped("The run has ended; its attempts are not finished.")
                holds, value, benches = state.outcomes.pop(place)
                lab.take_in(benches)
                if not holds:
                    raise value
                yield value
        except BaseException as error:
            if not isinstance(error, BudgetSpent):
                self._stop.set()
            state.waiting.clear()
            deadline = monotonic() + GRACE
            while isinstance(error, CapReached) and state.flying and monotonic() < deadline:
                self._advance(state)
                state.waiting.clear()  # a try whose worker died is not made again
            for place in sorted(state.outcomes):
                lab.take_in(state.outcomes[place][2])
            raise
        finally:
            self._cancel(state.flying)

    def _advance(self, state: _Work) -> None:
        """Start what there is room for, and take in what has ended within a moment.

        Raises AceError where the cluster has had no CPU for some time.
        """
        import ray

        while state.waiting and len(state.flying) < self._workers:
            flight = state.waiting.popleft()
            flight.tries += 1
            flight.name = f"{state.number}:{flight.place}:{flight.tries}"
            flight.calls.asked.clear()
            self._flights[flight.name] = flight
            task = self._task.remote(self._relay, state.content, flight.place, flight.name, self._version)
            state.flying[task] = flight
        ended, _ = ray.wait(list(state.flying), timeout=_LOOK)
        for task in ended:
            flight = state.flying.pop(task)
            outcome = self._take(task, flight)
            del self._flights[flight.name]
            if outcome is None:
                state.waiting.appendleft(flight)
            else:
                flight.calls.give_up()
                state.outcomes[flight.place] = outcome
        if ended or ray.cluster_resources().get("CPU", 0) >= 1:
            state.alive = monotonic()
        elif monotonic() > state.alive + _DESERTED:
            message = f"The Ray cluster has had no CPU for {_DESERTED:g} s: its nodes are gone."
            raise AceError(message, hint="Start nodes, and go on with --resume.")

    def _take(self, task: Any, flight: _Flight) -> Outcome | None:
        """Return what came of a task; None where its worker died, and another try is due."""
        import ray
        from ray import exceptions

        try:
            is_installed, answer = ray.get(task)
        except exceptions.RayTaskError as error:
            cause = error.cause
            return False, cause if isinstance(cause, AceError) else error, {}
        except exceptions.RayError as error:  # of a worker, a node, or the memory of one
            if flight.tries < _TRIES:
                return None
            message = f"{_TRIES} workers of Ray died of {flight.item} ({type(error).__name__})."
            hint = "Look into Ray's logs; a node may lack memory, or an agent end its process."
            return False, AceError(message, hint=hint), {}
        if not is_installed:
            install = f"pip install 'ace-engine[ray]=={self._version}'"
            hint = f"Run `{install}` on every node, in the environment that Ray runs in."
            return False, InputError(answer, hint=hint), {}
        outcome: Outcome = flight.parcel.open_answer(answer)
        return outcome

    def _cancel(self, flying: dict[Any, _Flight]) -> None:
        """End tasks that are under way, with their processes, and wait a moment until they have."""
        import ray

        for flight in flying.values():
            self._flights.pop(flight.name, None)
        for task in flying:
            with suppress(ray.exceptions.RayError, ValueError):
                ray.cancel(task, force=True)
        if flying:
            with suppress(ray.exceptions.RayError):
                ray.wait(list(flying), num_returns=len(flying), timeout=_END)
        for flight in flying.values():
            flight.calls.give_up()
        flying.clear()

    def _listen(self) -> None:
        """Answer what workers ask until the relay ends. Lives in a thread of its own."""
        import ray

        with suppress(
            ray.exceptions.RayError, RuntimeError
        ):  # the latter where no answers are given any more
            while True:
                for number, name, message in ray.get(self._relay.take.remote()):
                    self._answering.submit(self._answer, number, name, message)

    def _answer(self, number: int, name: str, message: bytes) -> None:
        """Do what a worker asks for, and send the answer."""
        from ray import cloudpickle

        answer: tuple[bool, Any]
        try:
            flight = self._flights.get(name)
            if flight is None:
                raise RunStopped("This try is no longer waited for.")
            mark, place, method, arguments, keywords = flight.parcel.open_answer(message)
            thing = flight.calls if place == 0 else flight.home.objects[place]
            with mark_calls(mark):
                answer = True, getattr(thing, HomeMethod(method))(*arguments, **keywords)
        except Exception as error:  # raised again in the worker
            answer = False, error
        try:
            content = cloudpickle.dumps(answer)
        except Exception as error:  # whatever somebody's own client returns or raises
            why = f"What was asked for at home cannot be sent ({describe_error(error)})."
            content = cloudpickle.dumps((False, AceError(why)))
        self._relay.answer.remote(number, content)


def _explain_unpackable(lab: StepLab, home: Home, error: Exception) -> InputError:
    """Return the error for work that cannot be pickled, which names the part of the task that is to blame."""
    task = lab.place.task
    culprit = "what the run works with"
    parts = {
        "the agent or solver": task.solver,
        "the environment": task.environment,
        "its samples": task.train,
    }
    for name, part in parts.items():
        try:
            Parcel.of(part, home)
        except Exception:  # it is this one
            culprit = f"{name} of the task"
            break
    return InputError(
        f"Task {task.name} cannot be sent to Ray's workers: {culprit} cannot be pickled ({error}).",
        hint="Make locks, files and connections inside the function, or use --executor threads.",
    )
