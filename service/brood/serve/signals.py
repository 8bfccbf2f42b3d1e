"""The wish to stop: SIGINT (Ctrl-C) and SIGTERM."""

from __future__ import annotations

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopWish:
    """Remembers that somebody asked this process to stop.

    The first signal is only noted, so that whatever has been started can be ended in order; a second one ends the
    process at once.
    """

    def __init__(self) -> None:
        self.heard = False

    def listen(self) -> None:
        """From now on, note signals. Must be called on the main thread, and again after libraries put theirs there."""
        if not self.heard:
            for number in SIGNALS:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.heard = True
        # Ray's own handler, when it comes first, takes the signal for a crash: it hands it on, but aborts 3 s later.
        signal.alarm(0)
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
