"""What Ctrl-C does to a command that works for long."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stopping"]


@contextmanager
def stopping(stop: threading.Event, told: Callable[[], None], goes_on: str) -> Iterator[None]:
    """The first Ctrl-C asks for an end, the second one ends this process at once; the ledger can take both.

    `told` is called at the first; `goes_on` says how the work is taken up again.
    """

    def asked(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            sys.stderr.write("\n\x1b[?25h" if sys.stderr.isatty() else "\n")
            sys.stderr.flush()
            os._exit(130)
        told()
        stop.set()
        if not sys.stderr.isatty():
            os.write(2, f"reeve: stopping; what is done is kept, and {goes_on}\n".encode())

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
