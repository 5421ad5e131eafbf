"""Records sessions in a process of its own, which goes on when the agent that called the hook has ended.

An agent kills a hook that takes long, and a busy machine makes all take long. So the hook only starts this
process, and whatever it is too late for is recorded when a later session begins or ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

from ace.hooks.session import LOG, describe_fault, locate_notes, log_fault
from ace.store.store_database import Place, ServerAddress, parse_place

_MODULE = "ace.hooks.session_recorder"


def start_recorder(playbook: Place, agent: str) -> None:
    """Start the process that records all sessions that are due in a playbook, and do not wait for it.

    Raises OSError where it cannot be started.
    """
    with (locate_notes(playbook) / LOG).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,  # why it could not begin at all
            start_new_session=True,  # what the agent ends at its own end is not this process
        )
    secret = playbook.secret if isinstance(playbook, ServerAddress) else ""
    order = {"playbook": str(playbook), "agent": agent, "secret": secret}
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as pipe:  # it may have been ended: the note stays
            pipe.write(json.dumps(order).encode())


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


def main() -> None:
    """Record what the order on stdin says."""
    order = json.loads(sys.stdin.read())
    playbook = parse_place(order["playbook"])
    if isinstance(playbook, ServerAddress):
        playbook = replace(playbook, secret=order["secret"])
    record_waiting(playbook, order["agent"])


if __name__ == "__main__":
    main()
