"""What a Ray task does: unpack its share of a map, work on one item, and pack what came of it.

It asks for what stayed at home through a relay, an actor that the run's own process listens to.
"""

from __future__ import annotations

import traceback
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ace.errors import AceError, InputError, StoreError, describe_error
from ace.llm.meter import calls_for, mark_calls
from ace.loop.executor import ThreadExecutor
from ace.loop.lab import SampleBench, StepLab
from ace.loop.parcel import Arrival
from ace.loop.stand_ins import HomeMethod, StandIn

_INSTALL = "Install it on every node of the cluster, in the environment that Ray runs in."
_open_parcel = lru_cache(maxsize=1)(Arrival)  # the items of a map come one after the other
_errand: ContextVar[tuple[Any, str, Arrival]] = ContextVar("errand")
"""The relay, the name of the try, and the parcel of the item that this thread works on."""


def ask_home(number: int, method: HomeMethod, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Return what a method returns at home, asked through the relay of the item that this thread works on.

    Raises what the method raises, and StoreError where home cannot be reached: nothing may go on without its
    journal.
    """
    import ray
    from ray import cloudpickle

    relay, name, arrival = _errand.get()
    message = arrival.pack((calls_for.get(), number, method, arguments, keywords))
    try:
        answer = ray.get(relay.ask.remote(name, message))
    except ray.exceptions.RayError as error:
        raise StoreError(f"The run can no longer be reached ({describe_error(error)}).") from error
    holds, value = cloudpickle.loads(answer)
    if not holds:
        raise value
    return value


def work_on(relay: Any, parcel: bytes, place: int, name: str) -> bytes:
    """Work on the item at a place of a map, as the try of a name; return what came of it for `open_answer`.

    That is whether there is a result, the result or the error, and copies of the benches that recorded
    anything, with only what is new. Raises InputError where the parcel cannot be unpacked here.
    """
    StandIn.line = ask_home
    try:
        arrival = _open_parcel(parcel)
    except ModuleNotFoundError as error:
        raise InputError(f"A worker of Ray has no module {error.name!r}.", hint=_INSTALL) from error
    except (AttributeError, ImportError) as error:
        message = f"A worker of Ray has other code than this process ({describe_error(error)})."
        raise InputError(message, hint="Install the same on every node of the cluster.") from error
    _errand.set((relay, name, arrival))  # until the next item
    lab: StepLab
    lab, work, items, names = arrival.thing
    lab.executor = ThreadExecutor(1, lab.place.stop)
    before = {key: len(bench.episodes) for key, bench in lab.benches.items()}
    holds = True
    outcome: Any
    try:
        with mark_calls(names[place]):
            outcome = work(items[place])
    except Exception as error:  # raised again at home
        holds, outcome = False, error
        if not isinstance(error, AceError):
            error.add_note(f"In a worker of Ray:\n{traceback.format_exc()}")
    changed: dict[tuple[str, str], SampleBench] = {}
    for key, bench in lab.benches.items():
        new = bench.episodes[before.get(key, 0) :]
        if new or key not in before:
            changed[key] = replace(bench, episodes=new, retrieved=dict(bench.retrieved))
    try:
        return arrival.pack((holds, outcome, changed))
    except Exception as error:  # whatever somebody's own objects raise
        kind = type(outcome).__name__
        message = f"A worker of Ray cannot send back the {kind} for {names[place]} ({describe_error(error)})."
        hint = "Let it hold plain values only, or use --executor threads."
        return arrival.pack((False, InputError(message, hint=hint), {}))
