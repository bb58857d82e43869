"""`reeve version`."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from reeve.cli.options import Json
from reeve.cli.output import print_json, safe, screen


def version(*, as_json: Json = False) -> None:
    """Print the version of reeve and of what it runs on."""
    try:
        number = installed("reeve")
    except PackageNotFoundError:
        number = "unknown"
    found = {"reeve": number, "python": platform.python_version(), "system": platform.platform(terse=True)}
    if as_json:
        print_json(found)
    else:
        screen().print(safe(f"reeve {number} (Python {found['python']}, {found['system']})"))
