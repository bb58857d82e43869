"""Where an examination begins: `python -S -B /reeve/examiner/__main__.py PLAN PLUGIN REPAIR`.

Without site, because an installed package may run code of the project there. See `examination`.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location

HERE = os.path.dirname(os.path.abspath(__file__))


def bind(name: str, folder: str) -> None:
    """Make a folder a package under a name, without a place on the path of imports."""
    spec = spec_from_file_location(name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        raise ImportError(folder)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def begin() -> None:
    """Make the packages known, and import pytest while nothing of the tree and of its hooks can be found."""
    for name, folder in (("examiner", HERE), ("pytest_plugin", sys.argv[2]), ("repair", sys.argv[3])):
        bind(name, folder)
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
    before, path = set(sys.modules), list(sys.path)
    sys.path += import_module("examiner.process").site_folders()
    gc.disable()  # nothing of it is garbage
    try:
        import_module("pytest")
    except ImportError:  # the project is a part of pytest, or there is none; the fork that collects will tell
        for name in set(sys.modules) - before:
            del sys.modules[name]
    if hasattr(gc, "freeze"):  # and back: now it is old, and not looked at again and again
        gc.freeze()
        gc.unfreeze()
    gc.enable()
    sys.path[:] = path


def main() -> None:
    """Examine, and write the report."""
    begin()
    import_module("examiner.examination").main(sys.argv[1])


if __name__ == "__main__":
    main()
