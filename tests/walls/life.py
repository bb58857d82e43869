"""One life of the loop over the backlog in the current folder, with a copied environment: life.py ENVIRONMENT."""

import sys
from dataclasses import replace
from pathlib import Path

from reeve import flow
from reeve.adapters.environments.fake import FakeEnvironments
from reeve.cli.start import open_world
from reeve.records import Environment
from reeve.settings import read_settings, task_defaults
from reeve.task import read_backlog

settings = read_settings(Path.cwd(), {})
tasks = read_backlog([Path("backlog")], task_defaults(settings)).tasks
environment = Environment("copied", ok=True, venv=sys.argv[1])
flow.run(replace(open_world(settings), environments=FakeEnvironments(environment)), tasks)
