"""Run the agent: ``python -I -B <this folder> PACKAGES SPEC.json WORK OUT MAIL``.

PACKAGES are the folders that hold pydantic-ai and what it needs, separated by ':'; WORK is the tree, OUT a private
folder that can be written, MAIL the folder in which words of people come.
"""

import ctypes
import gc
import importlib.util
import os
import sys
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "_reeve_model"
NOT_DUMPABLE = 4, 0  # prctl(PR_SET_DUMPABLE, 0)
CHILD_SUBREAPER = 36, 1  # prctl(PR_SET_CHILD_SUBREAPER, 1)


def load(sites: list[str]) -> None:
    """Make this folder importable under a name no project uses, and find packages in `sites` before all others."""
    sys.path[:] = [*sites, *(entry for entry in sys.path if os.path.abspath(entry or ".") != HERE)]
    found = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(HERE, "__init__.py"), submodule_search_locations=[HERE]
    )
    if found is None or found.loader is None:
        sys.exit(f"{HERE}: is no package")
    module = importlib.util.module_from_spec(found)
    sys.modules[PACKAGE] = module
    found.loader.exec_module(module)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit("usage: python -I -B model PACKAGES SPEC.json WORK OUT MAIL")
    # Commands of the agent have the same user: without this they could read and change the memory of the loop.
    ctypes.CDLL(None).prctl(*NOT_DUMPABLE, 0, 0, 0)
    # What a command leaves behind becomes a child of this process, however it got away: so it can be ended.
    ctypes.CDLL(None).prctl(*CHILD_SUBREAPER, 0, 0, 0)
    gc.disable()  # a fifth of the time that importing takes; back on when the model is there
    warnings.simplefilter("ignore")  # standard error is a part of the trajectory
    load(sys.argv[1].split(":"))
    sys.exit(importlib.import_module(PACKAGE + ".cli").main(*sys.argv[2:]))
