"""`reeve report`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from reeve.cli.opened import ledger_of, project
from reeve.cli.options import Json
from reeve.cli.output import print_json, safe, screen
from reeve.errors import InputError
from reeve.ledger.views import task_views
from reeve.web.report import fleet, render

DEFAULT = "reeve-report.html"

Output = Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Where the page goes.")]


def report(*, output: Output = DEFAULT, as_json: Json = False) -> None:
    """Write one self-contained HTML page: every task with its attempts, proof, patch and decisions."""
    settings = project()
    store = ledger_of(settings)
    page = render(store, project=settings.root.name or str(settings.root), at_utc=time.time())
    path = Path(output)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"writing the report {output!r}: {error.strerror}") from error
    if as_json:
        numbers = fleet(store, task_views(store))
        print_json({"path": str(path.resolve()), "fleet": numbers})
        return
    screen().print(safe(f"{path.resolve()}"), soft_wrap=True)
