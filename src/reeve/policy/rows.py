"""Rows of a file with the line of each: JSON lines or CSV, plain or compressed, read block by block."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import from_json  # a third of the time of the standard library

from reeve.errors import InputError, LocatedError
from reeve.units import plural

__all__ = ["Row", "read_rows"]

BLOCK_BYTES = 2**20
MAX_LINE_BYTES = 2**24
GZIP = b"\x1f\x8b"

Row = Mapping[str, Any]
"""Cells by name: of CSV text, or None where a cell is empty; of JSON whatever stands there."""


def read_rows(path: Path) -> Iterator[tuple[Row, int]]:
    """Give every row with its line, counted from 1; blank lines are passed over.

    `*.csv` and `*.csv.gz` are CSV, all else JSON lines. Raises LocatedError for the first line that cannot be read,
    InputError where the file cannot.
    """
    shown = str(path)
    rows = _csv_rows if path.name.lower().removesuffix(".gz").endswith(".csv") else _json_rows
    try:
        with path.open("rb") as file:
            yield from rows(_lines(file, shown), shown)
    except OSError as error:
        raise InputError(f"reading {shown!r}: {error.strerror or error}") from None


# ---------------------------------------------------------------- lines


def _lines(file: BinaryIO, shown: str) -> Iterator[tuple[str, int]]:
    """Give every line with its number, decoded; newlines alone end a line, as U+2028 may stand in a name."""
    number, rest = 1, b""
    try:
        for block in _blocks(file, shown):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                yield _text(line, shown, number), number
                number += 1
            if len(rest) > MAX_LINE_BYTES:
                raise LocatedError(f"a line of more than {MAX_LINE_BYTES >> 20} MB", file=shown, line=number)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"the gzip data breaks off at or soon after this line ({error}); copy the file again"
        raise LocatedError(message, file=shown, line=number) from None
    if rest:
        yield _text(rest, shown, number), number


def _blocks(file: BinaryIO, shown: str) -> Iterator[bytes]:
    packed = file.read(len(GZIP)) == GZIP
    file.seek(0)
    if not packed and shown.lower().endswith(".gz"):
        raise LocatedError("not gzip data, though its name ends in .gz", file=shown, line=1)
    with gzip.open(file) if packed else nullcontext(file) as stream:
        yield from iter(lambda: stream.read(BLOCK_BYTES), b"")


def _text(line: bytes, shown: str, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        bad = line[error.start : error.start + 1]
        raise LocatedError(f"not UTF-8: found the byte {bad!r}; save it as UTF-8", file=shown, line=number) from None


# ---------------------------------------------------------------- rows


STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
NOT_NUMBERS = re.compile(r"[:\[,]\s*(NaN|-?Infinity)\b")


def _not_json(line: str, error: ValueError) -> str:
    """Say why a line is not JSON: NaN above all, which many programs write though it is none."""
    if found := NOT_NUMBERS.search(STRINGS.sub('""', line)):
        return f"{found[1]} is no number and no JSON; leave the run out, or write what was measured"
    return f"not JSON, one object on each line: {str(error).replace(' at line 1 column', ' at column')}"


def _json_rows(lines: Iterable[tuple[str, int]], shown: str) -> Iterator[tuple[Row, int]]:
    for line, number in lines:
        if not line or line.isspace():
            continue
        try:
            row = from_json(line, allow_inf_nan=False)
        except ValueError as error:
            raise LocatedError(_not_json(line, error), file=shown, line=number) from None
        if type(row) is not dict:
            message = f"every line is one run, a JSON object; found {type(row).__name__}"
            raise LocatedError(message, file=shown, line=number)
        yield row, number


def _csv_rows(lines: Iterable[tuple[str, int]], shown: str) -> Iterator[tuple[Row, int]]:
    """Read a table whose first line names the columns; an empty cell is a missing one."""
    reader = csv.reader((f"{line}\n" for line, _ in lines), strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not cells:
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                twice = sorted({name for name in header if header.count(name) > 1})
                if twice:
                    message = f"two columns are named {twice[0]!r}; which of them counts cannot be told"
                    raise LocatedError(message, file=shown, line=reader.line_num)
                continue
            if len(cells) != len(header):
                message = f"{len(cells)} cells, but the first line names {plural(len(header), 'column')}"
                raise LocatedError(message, file=shown, line=reader.line_num)
            yield {name: cell.strip() or None for name, cell in zip(header, cells, strict=True)}, reader.line_num
    except csv.Error as error:
        why = "a line ends in a carriage return alone" if "new-line" in str(error) else str(error)
        raise LocatedError(f"not CSV: {why}", file=shown, line=reader.line_num) from None
