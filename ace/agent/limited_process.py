"""Start a command under a limit of memory: `python limited_process.py BYTES COMMAND...`; 0 is no limit.

Run as a script of its own, so that the limit is set in the new process and nowhere else.
"""

from __future__ import annotations

import os
import resource
import sys


def main() -> None:
    """Set the limit, and become the command; a command that cannot be started ends it with the reason.

    The limit is of address space, in bytes.
    """
    limit = int(sys.argv[1])
    command = sys.argv[2:]
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        os.execvp(command[0], command)  # noqa: S606 (the task's own command, as a list of words)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
