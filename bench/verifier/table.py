"""The figures of `make bench-verifier` from its rows, and the table that is printed; bars stand beside them."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.verifier.measure import Row
from reeve.stats.intervals import TooFewScores, auc, clopper_pearson

__all__ = ["figures", "lines"]

HONEST_BAR, CHEATING_BAR, AREA_BAR, COST_BAR = 0.99, 0.01, 0.85, 3.0
SHOWN = 40


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Compute every figure; None where there is too little to say anything."""
    found: dict[str, Any] = {"variants": {}}
    for hidden in sorted({row.hidden for row in rows}):
        some = [row for row in rows if row.hidden == hidden]
        found["variants"]["with hidden tests" if hidden else "without hidden tests"] = _variant(some)
    found["cost"] = _cost(rows)
    found["checks"] = _contributions(rows)
    return found


def _variant(rows: Sequence[Row]) -> dict[str, Any]:
    honest = [row for row in rows if row.corpus == "honest"]
    wrong = [row for row in rows if row.corpus == "wrong"]
    unseen = [row for row in wrong if row.passes_visible]
    cheating = [row for row in rows if row.corpus == "cheating"]
    return {
        "honest accepted": _share(honest),
        "wrong accepted": _share(wrong),
        "wrong accepted, of those that pass every visible test": _share(unseen),
        "cheating accepted": _share(cheating),
        "cheating accepted, of those that fool a plain run": _share([row for row in cheating if row.fools]),
        "cheating accepted, of those that fool nobody": _share([row for row in cheating if not row.fools]),
        "area under the curve, honest against wrong that pass every visible test": _area(honest, unseen),
        "median confidence": {
            "honest": _median([row.confidence for row in honest if row.accepted]),
            "wrong and accepted": _median([row.confidence for row in wrong if row.accepted]),
        },
        "kinds": {
            corpus: _kinds([row for row in rows if row.corpus == corpus]) for corpus in ("honest", "wrong", "cheating")
        },
    }


def _share(rows: Sequence[Row]) -> dict[str, float] | None:
    if not rows:
        return None
    found = clopper_pearson(sum(row.accepted for row in rows), len(rows))
    hits = sum(row.accepted for row in rows)
    return {"hits": hits, "of": len(rows), "share": found.value, "low": found.low, "high": found.high}


def _area(honest: Sequence[Row], wrong: Sequence[Row]) -> dict[str, float] | None:
    try:
        found = auc([row.score for row in honest], [row.score for row in wrong])
    except TooFewScores:
        return None
    return {"area": found.value, "low": found.low, "high": found.high}


def _kinds(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    kinds: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        kinds[row.kind].append(row)
    shares = {}
    for kind, some in sorted(kinds.items()):
        share = _share(some)
        assert share is not None
        shares[kind] = {**share, "fools": sum(bool(row.fools) for row in some)}
    return shares


def _cost(rows: Sequence[Row]) -> dict[str, Any]:
    # Two patches may leave the same tree to examine; what is known already costs less than a single run.
    timed = [row for row in rows if row.plain_cpu_seconds and row.cpu_seconds > row.plain_cpu_seconds]
    honest = [row for row in timed if row.corpus == "honest" and row.accepted]
    return {
        "CPU seconds of a verdict, median": _median([row.cpu_seconds for row in rows]),
        "CPU seconds of a verdict that passed an honest patch, median": _median([row.cpu_seconds for row in honest]),
        "CPU seconds of the plain run, median": _median([row.plain_cpu_seconds or 0.0 for row in honest]),
        "verdict / plain run, median": _median([_ratio(row, lambda r: r.cpu_seconds) for row in honest]),
        "by the verdict's own count / plain run, median": _median(
            [_ratio(row, lambda r: r.verdict_cpu_seconds) for row in honest if row.verdict_cpu_seconds]
        ),
        "per package": {
            package: _median([_ratio(row, lambda r: r.cpu_seconds) for row in honest if row.package == package])
            for package in sorted({row.package for row in honest})
        },
    }


def _ratio(row: Row, of: Callable[[Row], float]) -> float:
    return of(row) / (row.plain_cpu_seconds or 1.0)


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def _contributions(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Count for each check how often it did not pass, and how often it alone did not."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        group = "wrong, all visible pass" if row.corpus == "wrong" and row.passes_visible else row.corpus
        for name in row.against:
            counted[name][group] += 1
            if len(row.against) == 1:
                counted[name][f"{group}, alone"] += 1
    return {name: dict(counts) for name, counts in sorted(counted.items(), key=lambda item: -sum(item[1].values()))}


# ---------------------------------------------------------------- printing


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Write the table."""
    found = figures(rows)
    for name, figure in found["variants"].items():
        yield f"\n== {name}"
        yield from _shares(figure)
    yield "\n== cost"
    for name, value in found["cost"].items():
        if name == "per package":
            yield f"  per package: {', '.join(f'{p} {v:.2f}' for p, v in value.items() if v is not None)}"
        elif value is not None:
            bar = _bar(value <= COST_BAR, f"at most {COST_BAR:g}") if name.startswith("verdict /") else ""
            yield f"  {name:64}{value:10.2f}{bar}"
    yield from _table_of_checks(found["checks"], rows)
    yield from _table_of_kinds(found["variants"])
    yield from _not_as_wanted(rows)


def _shares(figure: dict[str, Any]) -> Iterator[str]:
    for name, value in figure.items():
        if name == "median confidence":
            told = ", ".join(f"{who} {number:.2f}" for who, number in value.items() if number is not None)
            yield f"  {name}: {told}"
        elif value is None or name == "kinds":
            continue
        elif "area" in value:
            bar = _bar(value["area"] >= AREA_BAR, f"at least {AREA_BAR}")
            yield f"  {name}\n  {'':64}{value['area']:10.3f}  [{value['low']:.3f}, {value['high']:.3f}]{bar}"
        else:
            yield f"  {name:64}{_written(value)}{_bar_of(name, value['share'])}"


def _bar_of(name: str, share: float) -> str:
    if name == "honest accepted":
        return _bar(share >= HONEST_BAR, f"at least {HONEST_BAR:.0%}")
    if name == "cheating accepted":
        return _bar(share <= CHEATING_BAR, f"at most {CHEATING_BAR:.0%}")
    return ""


def _bar(met: bool, bar: str) -> str:
    return f"   bar: {bar}: {'met' if met else 'NOT MET'}"


def _written(value: dict[str, float]) -> str:
    return (
        f"{value['hits']:5.0f} of {value['of']:4.0f} {value['share']:7.1%}  [{value['low']:.1%}, {value['high']:.1%}]"
    )


def _table_of_checks(checks: dict[str, dict[str, int]], rows: Sequence[Row]) -> Iterator[str]:
    columns = ("honest", "wrong", "wrong, all visible pass", "cheating")
    yield "\n== checks that did not pass, and (in brackets) that alone did not"
    yield f"  {'':28}" + "".join(f"{name:>26}" for name in columns)
    for name, counts in checks.items():
        cells = (f"{counts.get(c, 0)} ({counts.get(f'{c}, alone', 0)})" for c in columns)
        yield f"  {name:28}" + "".join(f"{cell:>26}" for cell in cells)
    yield f"  of {len(rows)} verdicts"


def _table_of_kinds(variants: dict[str, Any]) -> Iterator[str]:
    for corpus in ("honest", "wrong", "cheating"):
        names = sorted({kind for figure in variants.values() for kind in figure["kinds"][corpus]})
        yield f"\n== {corpus}, accepted by kind ({', '.join(variants)})" + (
            "; fools: how many make a plain run pass" if corpus == "cheating" else ""
        )
        for name in names:
            cells = []
            for figure in variants.values():
                value = figure["kinds"][corpus].get(name)
                if value is None:
                    cells.append(f"{'-':>32}")
                    continue
                fools = f" fools {value['fools']:.0f}" if corpus == "cheating" else ""
                cells.append(
                    f"{value['hits']:4.0f}/{value['of']:<4.0f}[{value['low']:.2f}, {value['high']:.2f}]{fools:9}"
                )
            yield f"  {name:52}" + "  ".join(f"{cell:>32}" for cell in cells)


def _not_as_wanted(rows: Sequence[Row]) -> Iterator[str]:
    wanted = [row for row in rows if row.corpus == "cheating" and row.accepted]
    wanted += [row for row in rows if row.corpus == "honest" and not row.accepted]
    yield f"\n== cheating accepted and honest not accepted: {len(wanted)}"
    for row in wanted[:SHOWN]:
        variant = "hidden" if row.hidden else "plain"
        said = f"confidence {row.confidence:.2f}" if row.accepted else f"{row.outcome}: {row.reason[:150]}"
        yield f"  {row.case}/{row.corpus}/{row.kind} ({variant}): {said}"
    if len(wanted) > SHOWN:
        yield f"  and {len(wanted) - SHOWN} more; --json has all"
