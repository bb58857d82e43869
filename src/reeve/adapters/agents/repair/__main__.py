"""Run the agent: ``python -P -B <this folder> --spec spec.json``, with the tree as current directory."""

import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "_reeve_repair"


def load() -> None:
    """Make this folder importable under a name no project uses, without putting it on ``sys.path``."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
    found = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(HERE, "__init__.py"), submodule_search_locations=[HERE]
    )
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[PACKAGE] = module
    found.loader.exec_module(module)


if __name__ == "__main__":
    if not sys.flags.hash_randomization or os.environ.get("PYTHONHASHSEED"):
        load()
        sys.exit(importlib.import_module(PACKAGE + ".cli").main(sys.argv[1:]))
    # The order of sets must not change which patch is found: same spec, same patch.
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.execv(
        sys.executable, [sys.executable, "-B", *(["-P"] if sys.version_info >= (3, 11) else []), HERE, *sys.argv[1:]]
    )
