"""Whether a person looks: only on a terminal, a script that reads is nobody."""

import sys
import time

from reeve.ledger.looks import look
from reeve.ledger.views import TaskView
from reeve.ports import Store

__all__ = ["record_look"]


def record_look(store: Store, view: TaskView) -> None:
    """Record that a person opened a task or one of its results, if this is a terminal."""
    if sys.stdout.isatty():
        look(store, view, time.time())
