"""`make bench-trust`: rules for what lands unseen, played over public records as if they were the life of a fleet.

The records are read from the folder that is named, or that the environment variable REEVE_DATA names; they are not
part of the project. Without them the simulated life is played alone, and docs/trust.md stays as it is.

    python -m bench.trust [DATA] [--highest-rate 0.05] [--confidence 0.95] [--seed 1] [--record]
"""

import argparse
import datetime as dt
import hashlib
import json
import os
import sys
from pathlib import Path

from bench.__main__ import RESULTS, machine
from bench.trust.lives import FILES, Life, lives
from bench.trust.plot import svg
from bench.trust.replay import Outcome, replay
from bench.trust.rules import all_rules
from bench.trust.table import figures, lines, page

PAGE = Path(__file__).parents[2] / "docs" / "trust.md"
PICTURE = PAGE.with_suffix(".svg")


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    folder = _folder(options.data)
    played, outcomes = _play(folder, options)
    for line in lines(played, outcomes, options.highest_rate):
        print(line)
    if not options.record:
        return 0
    if folder is None:
        print("\nnothing recorded: docs/trust.md rests on the public records, and these were not played")
        return 0
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), played, outcomes, options.highest_rate), encoding="utf-8")
    PICTURE.write_text(svg(outcomes, options.highest_rate), encoding="utf-8")
    path = RESULTS / f"{dt.datetime.now(dt.UTC).date()}-trust.json"
    path.write_text(json.dumps(_record(folder, options, played, outcomes), indent=1) + "\n", encoding="utf-8")
    print(f"\nrecorded in {path}, {PAGE} and {PICTURE}")
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=os.environ.get("REEVE_DATA") or None, metavar="DATA")
    parser.add_argument("--highest-rate", type=float, default=0.05, help="of escapes (default: 0.05)")
    parser.add_argument("--confidence", type=float, default=0.95, help="(default: 0.95)")
    parser.add_argument("--seed", type=int, default=1, help="of the audits and of what is simulated (default: 1)")
    parser.add_argument("--record", action="store_true", help="write docs/trust.md and bench/results/<date>-trust.json")
    return parser.parse_args(arguments)


def _folder(named: str | Path | None) -> Path | None:
    """Find the records; a folder that was named and lacks one is a mistake, none at all is said and gone on from."""
    if named is None:
        print("no public records: name their folder (python -m bench.trust DATA, or REEVE_DATA=DATA make bench-trust)")
        return None
    folder = Path(named)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise SystemExit(
            f"reading public records in {str(folder)!r}: there is no {missing[0]!r}; {len(FILES)} files are needed"
        )
    return folder


def _play(folder: Path | None, options: argparse.Namespace) -> tuple[list[Life], list[Outcome]]:
    played, outcomes = [], []
    for life in lives(folder, options.seed):
        played.append(life)
        for rule in all_rules(options.highest_rate, options.confidence):
            if sys.stderr.isatty():
                print(f"\r\x1b[K{life.name}: {rule.name}", end="", file=sys.stderr, flush=True)
            outcomes.append(replay(life, rule, options.highest_rate, options.seed))
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    return played, outcomes


def _record(
    folder: Path, options: argparse.Namespace, played: list[Life], outcomes: list[Outcome]
) -> dict[str, object]:
    return {
        "machine": machine(),
        "highest_rate": options.highest_rate,
        "confidence": options.confidence,
        "seed": options.seed,
        "records": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES},
        "lives": {life.name: life.source for life in played},
        "outcomes": [figures(each) for each in outcomes],
    }


if __name__ == "__main__":
    sys.exit(main())
