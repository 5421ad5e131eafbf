"""Records sessions in a process of its own, which goes on when the agent that called the hook has ended.

An agent kills a hook that takes long, and a busy machine makes all take long. Whatever this process is too
late for is recorded when a later session begins or ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ace.hooks.session import describe_fault, locate_notes, log_fault
from ace.store.store_database import Place


def run_apart(first: Callable[[], object], then: Callable[[], object]) -> None:
    """Do two things in a copy of this process, and return after the first, or where the copy has failed.

    Whoever kills this process meanwhile does not end the copy, which says nothing on stdout and stderr after
    the first. Where a process cannot be copied, as on Windows, both are done before this returns.
    """
    if not hasattr(os, "fork"):
        first()
        then()
        return
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        os.read(reader, 1)  # comes to its end when the copy has closed the pipe
        os.close(reader)
        return
    try:
        os.setsid()  # what the agent ends at its own end is not this process
        first()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):  # an agent may wait until nobody can write to them
            os.dup2(nowhere, stream)
        os.close(writer)
        then()
    finally:
        os._exit(0)


def record_waiting(playbook: Place, agent: str) -> None:
    """Record all sessions that are due in a playbook. What goes wrong is a line of the log.

    Raises OSError where not even that can be written.
    """
    from ace.hooks.recorded_sessions import record_sessions

    folder = locate_notes(playbook)
    try:
        problems = record_sessions(playbook, folder)
    except Exception as error:  # nobody reads what this process says, but the log
        problems = [describe_fault(error)]
    for problem in problems:
        log_fault(folder, "end", agent, problem)
