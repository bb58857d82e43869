"""docs/trust.md is true: every number on it that can be computed is computed here."""

import importlib
import re
from pathlib import Path

from test_anytime import DELAYS

from reeve.policy.levels import levels_of
from reeve.records import Policy
from reeve.stats.anytime import Certificate
from reeve.stats.levels import Levels
from reeve.stats.risk import audits_needed

PAGE = (Path(__file__).parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[float]]:
    table = PAGE[PAGE.index(head) :].partition("\n\n")[0].splitlines()[2:]
    return [[float(cell.strip(" %")) for cell in line.strip("|").split("|")] for line in table]


def test_the_numbers_of_audits_are_those_that_certify():
    found = rows("| highest rate | confidence |")
    assert len(found) == 4
    for rate, confidence, one_look, every_look, levels in found:
        numbers = (rate / 100, confidence / 100)
        assert one_look == audits_needed(*numbers)
        assert every_look == Certificate(*numbers).after([]).more_clean_audits_needed
        shares = tuple(level.share for level in levels_of(Policy("", highest_escape_rate=rate / 100)))
        assert levels == Levels(shares, *numbers).after([(0, 0)] * len(shares))[0].more_clean_audits_needed


def test_the_price_of_wrong_results_is_the_one_that_is_told():
    told = re.search(r"at 5 % and 95 %, (\d+) audits with one wrong, (\d+) with two, (\d+) with three", PAGE)
    certificate = Certificate(0.05, 0.95)
    needed = [certificate.at(wrong, wrong).more_clean_audits_needed + wrong for wrong in (1, 2, 3)]
    assert [int(each) for each in told.groups()] == needed


def test_the_delays_are_those_that_are_measured():
    found = {
        (before / 100, after / 100): (int(alarm), int(end)) for before, after, alarm, end in rows("| rate before |")
    }
    assert found == DELAYS


def test_every_method_is_where_the_page_says():
    names = re.findall(r"^\|.*\| (`[\w.`, ]+`) \|$", PAGE, flags=re.MULTILINE)
    named = [name for cell in names for name in re.findall(r"`([\w.]+)`", cell)]
    assert len(named) >= 11
    for name in named:
        module, _, function = name.partition(".")
        found = importlib.import_module(f"reeve.stats.{module}")
        assert not function or function in found.__all__
