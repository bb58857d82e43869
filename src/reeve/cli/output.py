"""How every command speaks: plain tables, one JSON shape each, and nothing an agent wrote reaches a terminal raw."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reeve.ledger.codec import encode
from reeve.ledger.plain import plain
from reeve.records import Ending, Outcome, Status

__all__ = ["STYLES", "Column", "hanging", "listing", "minutes", "note", "print_json", "safe", "screen", "write_bytes"]

WIDE = 10_000
"""Columns for a pipe or file: whoever reads there wraps for themselves, or wants whole lines."""

NARROW = 76
"""Below this many columns a table becomes one block a row."""

STYLES = {
    str(Status.LANDED): "green",
    str(Status.NEEDS_YOU): "yellow",
    str(Status.FAILED): "red",
    str(Status.REJECTED): "red",
    str(Status.REVERTED): "red",
    str(Status.WORKING): "cyan",
    str(Status.VERIFYING): "cyan",
    str(Status.QUEUED): "dim",
    str(Outcome.PASSED): "green",
    str(Outcome.UNVERIFIED): "yellow",
    str(Ending.DECLINED): "yellow",
    "added": "green",
    "removed": "red",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a listing; the widest text column takes what room is left."""

    title: str
    right: bool = False
    grows: bool = False


def screen(*, stderr: bool = False) -> Console:
    """Make a console: no markup, no highlighting, no emoji; colour only on a terminal that wants it."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=width)


def safe(value: object, style: str = "") -> Text:
    """Make text that can do nothing to a terminal."""
    return Text(plain(str(value)), style=style)


def listing(console: Console, columns: Sequence[Column], rows: Iterable[Sequence[Text]]) -> None:
    """Print rows as a table, or as one block a row where the terminal is narrow."""
    found = list(rows)
    if console.width < NARROW:
        _blocks(console, columns, found)
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=not column.grows,
            ratio=1 if column.grows and console.is_terminal else None,
        )
    for row in found:
        table.add_row(*row)
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():  # a file wants no padding at the ends of its lines
        console.print(safe(line.rstrip()), soft_wrap=True)


def _blocks(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> None:
    for row in rows:
        cells = [(column, cell) for column, cell in zip(columns, row, strict=True) if cell.plain]
        # A number without its column says nothing; a word does.
        short = [
            safe(f"{cell.plain} {column.title}") if cell.plain.isdigit() else cell
            for column, cell in cells
            if not column.grows
        ]
        console.print(Text("  ").join(short))
        for column, cell in cells:
            if column.grows:
                hanging(console, safe("  "), cell)


def hanging(console: Console, label: Text, text: Text) -> None:
    """Print text after a label; where it wraps, it goes on below itself and not below the label."""
    if not console.is_terminal:
        console.print(label.append_text(text), soft_wrap=True)
        return
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    grid.add_row(label, text)
    console.print(grid)


def minutes(value: float | None) -> str:
    """Say minutes of a person: ``0``, ``1.5``, ``12``; nothing where they are not known."""
    if value is None:
        return ""
    return f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:.0f}"


def note(message: str) -> None:
    """Say something beside the result, on standard error."""
    screen(stderr=True).print(safe(message), soft_wrap=True)


def print_json(value: object) -> None:
    """Print a result as JSON: ASCII only, so that no byte of it can do anything to a terminal."""
    sys.stdout.write(json.dumps(encode(value), indent=2, ensure_ascii=True) + "\n")


def write_bytes(content: bytes) -> None:
    """Write a result byte for byte."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
