"""`make bench`: every number that DESIGN-level claims rest on, each as a ratio measured in one run.

Prints one table, and with --record writes it to bench/results/<date>.json. Single parts: `python -m bench own_cost`.
"""

import argparse
import datetime as dt
import importlib
import json
import os
import platform
import sys
from pathlib import Path

PARTS = ("own_cost", "workspaces", "candidates", "humanevalfix", "stopping", "gateway", "acp", "horizon", "deck")
RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    return {
        "python": platform.python_version(),
        "kernel": platform.release().partition("-")[0],
        "cores": len(os.sched_getaffinity(0)),
        "load_at_start": os.getloadavg()[0],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"of {', '.join(PARTS)}; all if none is named")
    parser.add_argument("--record", action="store_true", help=f"write the numbers to {RESULTS.name}/<date>.json")
    options = parser.parse_args()
    found: dict[str, object] = {"machine": machine()}
    for name in options.parts or PARTS:
        print(f"\n== {name}", flush=True)
        found[name] = importlib.import_module(f"bench.{name}").main([])
    if options.record:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{dt.datetime.now(dt.UTC).date()}.json"
        path.write_text(json.dumps(found, indent=1, default=str) + "\n")
        print(f"\nrecorded in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
