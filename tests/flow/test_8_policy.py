"""The policy of a run is frozen and named by its content; every decision stores the version it used."""

from dataclasses import fields, replace

import pytest

from reeve.policy.memory import MARGIN, RECENT, expected_memory_mb
from reeve.policy.versioned import versioned
from reeve.records import Cell, Fit, Policy, Trust


def test_equal_policies_have_one_version_whatever_they_were_called_before():
    assert versioned(Policy(version="")) == versioned(Policy(version="other"))


@pytest.mark.parametrize("name", [item.name for item in fields(Policy) if item.name not in ("version", "fit")])
def test_every_number_of_a_policy_is_in_its_version(name):
    policy = Policy(version="")
    value = getattr(policy, name)
    more = {int: 1, float: 0.01, str: "x", tuple: (Trust(Cell("a", "1", "c", "tests", "/r")),)}[type(value)]
    changed = replace(policy, **{name: value + more})
    assert versioned(changed).version != versioned(policy).version


def test_the_fit_of_a_policy_is_in_its_version():
    policy = Policy(version="")
    fit = Fit("f", ("verdict",), (0.5,), (1.0,), (0.0, 1.0), (0.0,), (0.9,), 20, 10, 30, 0.8, 0.7, 0.9)
    versions = {versioned(replace(policy, fit=each)).version for each in (None, fit, replace(fit, chances=(0.8,)))}
    assert len(versions) == 3


# ---------------------------------------------------------------- memory


def test_without_a_peak_the_limit_is_expected_and_it_is_never_exceeded():
    assert expected_memory_mb([], 2048) == 2048
    assert expected_memory_mb([5000.0], 2048) == 2048
    assert expected_memory_mb([5000.0] * 100, 2048) == 2048


def test_few_peaks_give_the_largest_with_a_margin_or_half_the_limit():
    assert expected_memory_mb([100.0, 90.0], 1000) == 500.0
    assert expected_memory_mb([100.0, 900.0] + [90.0] * 16, 2000) == MARGIN * 900.0


def test_one_attempt_in_twenty_may_need_more_than_the_quantile():
    peaks = [float(number) for number in range(1, 100)]
    assert expected_memory_mb(peaks, 1000) == MARGIN * 95.0  # 5 of 100 intervals lie above the 95th of 99
    assert expected_memory_mb(peaks[::-1], 1000) == MARGIN * 95.0


def test_only_the_newest_peaks_count():
    assert expected_memory_mb([900.0] * 50 + [100.0] * RECENT, 1000) == MARGIN * 100.0
