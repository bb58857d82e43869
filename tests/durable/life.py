"""One life of `reeve run` that ends by kill -9 when a crash point is reached for the n-th time: life.py POINT N."""

import itertools
import os
import signal
import sys
from pathlib import Path

from reeve import flow
from reeve.cli.start import open_world
from reeve.settings import read_settings, task_defaults
from reeve.task import read_backlog

point, times = sys.argv[1], int(sys.argv[2])
count = itertools.count(1)


def reach(name):
    if name == point and next(count) == times:
        os.kill(os.getpid(), signal.SIGKILL)


settings = read_settings(Path.cwd(), os.environ)
tasks = read_backlog([Path("backlog")], task_defaults(settings)).tasks
flow.run(open_world(settings, reach=reach), tasks)
