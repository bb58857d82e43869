"""The lines of a patch as rows of tables, made without a template: a patch may have twenty thousand of them.

They come in pieces that a browser lays out only when they come into sight.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from urllib.parse import quote

from markupsafe import Markup, escape

from reeve.ledger.plain import plain
from reeve.records import Event
from reeve.web.deck.patch import FilePatch, Line

__all__ = ["diff_rows", "steps_of"]

PIECE_LINES = 250
SIGNS: Mapping[str, str] = MappingProxyType({"add": "+", "del": "−"})  # noqa: RUF001 - as wide as a plus
SURPLUS = '<span class="mark"> not needed</span>'
NONE: Mapping[int, int] = MappingProxyType({})

MOST_HUNKS = 400
TELLING_CHARACTERS = 6
"""Shorter lines stand in too many places to tell who wrote them."""
TELLING_LINES = 8


def diff_rows(lines: Sequence[Line], attempt: str = "", steps: Mapping[int, int] = NONE) -> Markup:
    """Make tables of lines; `steps` names the event of the attempt that wrote the hunk which begins at a line.

    What stands in the lines is text, whatever it looks like.
    """
    rows = [_row(line, _link(attempt, steps.get(place))) for place, line in enumerate(lines)]
    return Markup("".join(_pieces(rows)))  # noqa: S704 - every text in it is escaped below


def _pieces(rows: Sequence[str]) -> Iterator[str]:
    for begin in range(0, len(rows), PIECE_LINES):
        piece = rows[begin : begin + PIECE_LINES]
        whole = " whole" if len(piece) == PIECE_LINES else ""  # of known height, so that it may be laid out later
        yield f'<div class="piece{whole}"><table class="diff"><tbody>{"".join(piece)}</tbody></table></div>'


def _row(line: Line, link: str) -> str:
    surplus = line.needed is False
    return (
        f'<tr class="{line.kind}{" surplus" if surplus else ""}"><td class="ln">{line.before or ""}</td>'
        f'<td class="ln">{line.after or ""}</td><td class="sign">{SIGNS.get(line.kind, " ")}</td>'
        f'<td class="code">{escape(plain(line.text))}{SURPLUS if surplus else ""}{link}</td></tr>'
    )


def _link(attempt: str, step: int | None) -> str:
    if step is None:
        return ""
    return f' <a class="step" href="/attempt/{quote(attempt, safe="")}#event-{step}">step {step + 1}</a>'


def steps_of(file: FilePatch, events: Sequence[tuple[int, Event]]) -> dict[int, int]:
    """Find the last event that wrote each hunk: one on this file whose words hold a line that the hunk adds.

    `events` are those on the file, with their numbers. By what the agent says of itself: a way to look, no evidence.
    """
    told = [(number, f"{event.text}\n{event.input}\n{event.output}") for number, event in reversed(events)]
    found = {}
    for place, added in _hunks(file.lines):
        telling = sorted(added, key=len, reverse=True)[:TELLING_LINES]
        for number, words in told:
            if any(line in words for line in telling):
                found[place] = number
                break
    return found


def _hunks(lines: Sequence[Line]) -> list[tuple[int, list[str]]]:
    """Give where hunks begin, and the lines that each adds and that can be told from others."""
    hunks: list[tuple[int, list[str]]] = []
    for place, line in enumerate(lines):
        if line.kind == "hunk":
            if len(hunks) == MOST_HUNKS:
                break
            hunks.append((place, []))
        elif line.kind == "add" and hunks and len(text := line.text.strip()) >= TELLING_CHARACTERS:
            hunks[-1][1].append(text)
    return hunks
