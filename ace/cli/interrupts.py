"""What Ctrl-C and SIGTERM do to a command: it ends in order, and soon, whatever it is doing.

Knows signals and exit codes; what an orderly end is, the commands know.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

_PATIENCE = 4.0  # seconds for an orderly end
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LATE = b"ace: interrupted; everything committed so far is kept.\n"


class Interrupts:
    """Turn the first signal into a KeyboardInterrupt, and end the process when that takes too long.

    `exit_code` is 128 and the number of the signal, as in a shell; 0 as long as none came. Signals that are
    ignored, as SIGINT is in the background of a shell, stay so. Only the main thread may make one.
    """

    def __init__(self) -> None:
        self.exit_code = 0
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        # Python tells the main thread of a signal when that gets to it, and this pipe at once.
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=self._end_late, args=(reader,), daemon=True).start()
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt in the main thread; a further signal must not disturb what follows."""
        if not self.exit_code:
            self.exit_code = 128 + number
            raise KeyboardInterrupt

    def _end_late(self, reader: int) -> None:
        """Wait for a signal, then for the process to end, and end it where it does not."""
        number = 0
        while number not in _SIGNALS:
            number = os.read(reader, 1)[0]
        time.sleep(_PATIENCE)
        os.write(2, _LATE)
        os._exit(128 + number)
