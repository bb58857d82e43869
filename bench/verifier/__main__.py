"""`make bench-verifier`: how often the verifier is right about patches whose truth is known.

Three corpora are generated over real packages (packages.toml): honest patches, wrong ones, and cheating ones. Every
patch goes through `reeve.flow.verify`, once with the hidden tests of its task and once without. What was generated and
every verdict are kept in the work folder: a second call goes on where the first was ended.

    python -m bench.verifier [--quick] [--only PACKAGE ...] [--kind WORDS] [--json FILE] [--record]
"""

import argparse
import datetime as dt
import hashlib
import json
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.__main__ import RESULTS, machine
from bench.verifier.build import Bounds, Package, make_package
from bench.verifier.case import CORPORA, Case, Made, read_made
from bench.verifier.measure import as_bodies, digest_of_code, groups, measure, progress_line
from bench.verifier.place import begin_worker
from bench.verifier.table import figures, lines

HERE = Path(__file__).parent
WORK = HERE.parent.parent / "build" / "bench-verifier"
MAKERS = ("build", "case", "cheating", "defects", "divide", "honest", "inside", "place", "source", "wrong")
QUICK = 8  # one patch of so many


def main() -> int:
    options = _options()
    packages, setup = described()
    chosen = [package for package in packages if not options.only or package.name in options.only]
    found = made(options.work, chosen, setup, options.workers)
    work = []
    for cases, patches, _ in found.values():
        kept = [one for one in patches if _wanted(one, options)]
        work += groups(cases, kept, [False, True] if options.variant == "both" else [options.variant == "hidden"])
    folder = options.work / f"verdicts-{options.resume or digest_of_code()}"
    began = time.monotonic()
    rows = measure(folder, setup, work, options.workers, _every(10.0))
    print(_heading(found, len(rows), time.monotonic() - began, folder))
    for line in lines(rows):
        print(line)
    told = {"machine": machine(), "verifier": folder.name.partition("-")[2], **figures(rows)}
    if options.json:
        options.json.write_text(json.dumps({**told, "rows": as_bodies(rows)}, indent=1, default=str) + "\n")
    if options.record:
        which = "" if options.variant == "both" else f"-{options.variant}"
        path = RESULTS / f"{dt.datetime.now(dt.UTC).date()}-verifier{which}.json"
        path.write_text(json.dumps(told, indent=1, default=str) + "\n")
        print(f"\nrecorded in {path}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"a sample: one patch of {QUICK}")
    parser.add_argument("--only", nargs="+", metavar="PACKAGE", help="these packages alone")
    parser.add_argument("--corpus", choices=CORPORA, help="one corpus alone")
    parser.add_argument("--kind", metavar="WORDS", help="only kinds of patches whose name holds these words")
    parser.add_argument(
        "--variant", choices=("both", "plain", "hidden"), default="both", help="without, with hidden tests"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure and every verdict there")
    parser.add_argument(
        "--record", action="store_true", help=f"write the figures to {RESULTS.name}/<date>-verifier.json"
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes side by side (default: 2)")
    parser.add_argument("--work", type=Path, default=WORK, metavar="FOLDER", help="where everything is kept")
    parser.add_argument("--resume", metavar="DIGEST", help="go on with the verdicts of another state of reeve's code")
    options = parser.parse_args()
    options.work = options.work.resolve()
    return options


def described() -> tuple[list[Package], str]:
    with (HERE / "packages.toml").open("rb") as file:
        content = tomllib.load(file)
    entries = [{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()} for entry in content["package"]]
    return [Package(**entry) for entry in entries], content["environment"]["setup"]


def _wanted(one: Made, options: argparse.Namespace) -> bool:
    if options.corpus and one.corpus != options.corpus:
        return False
    if options.kind and options.kind not in one.kind:
        return False
    return not options.quick or int(hashlib.sha256(one.name.encode()).hexdigest(), 16) % QUICK == 0


def made(
    folder: Path, packages: Sequence[Package], setup: str, workers: int
) -> dict[str, tuple[list[Case], list[Made], dict[str, int]]]:
    """Make the corpora, or find them: they depend on the archives and on the code that makes them alone."""
    digest = hashlib.sha256(repr(Bounds()).encode() + setup.encode())
    for module in MAKERS:
        digest.update((HERE / f"{module}.py").read_bytes())
    paths = {}
    with ProcessPoolExecutor(workers, get_context("spawn"), begin_worker) as pool:
        waiting = []
        for package in packages:
            mark = hashlib.sha256(digest.digest() + repr(package).encode()).hexdigest()[:12]
            paths[package.name] = folder / "corpora" / f"{package.name}-{mark}.json"
            if not paths[package.name].is_file():
                waiting.append(pool.submit(make_package, folder, package, setup, paths[package.name]))
        for number, future in enumerate(as_completed(waiting)):
            progress_line(f"corpora of {number} of {len(waiting)} packages made (once)")
            future.result()
    return {name: read_made(path) for name, path in paths.items()}


def _every(seconds: float) -> Any:
    last = [-seconds]

    def say(text: str) -> None:
        if sys.stderr.isatty() or time.monotonic() - last[0] >= seconds:
            last[0] = time.monotonic()
            progress_line(text)

    return say


def _heading(
    made: dict[str, tuple[list[Case], list[Made], dict[str, int]]], rows: int, seconds: float, folder: Path
) -> str:
    patches = Counter(one.corpus for _, some, _ in made.values() for one in some)
    cases = sum(len(cases) for cases, _, _ in made.values())
    kinds = len({one.kind for _, some, _ in made.values() for one in some if one.corpus == "cheating"})
    fools = sum(bool(one.fools) for _, some, _ in made.values() for one in some)
    dropped = sum((Counter(each) for _, _, each in made.values()), Counter())
    told = "; ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
    return (
        f"\n{cases} defects in {len(made)} packages; patches: {dict(patches)}; {kinds} kinds of cheating, "
        f"{fools} of {patches['cheating']} make a plain run pass\nmade and not kept: {told or 'none'}\n"
        f"{rows} verdicts, {seconds:.0f} s in this call; kept in {folder}"
    )


if __name__ == "__main__":
    sys.exit(main())
