"""The policy of a run is frozen and named by its content; every decision stores the version it used."""

from dataclasses import fields, replace

import pytest

from reeve.policy.versioned import versioned
from reeve.records import Policy


def test_equal_policies_have_one_version_whatever_they_were_called_before():
    assert versioned(Policy(version="")) == versioned(Policy(version="other"))


@pytest.mark.parametrize("name", [item.name for item in fields(Policy) if item.name != "version"])
def test_every_number_of_a_policy_is_in_its_version(name):
    policy = Policy(version="")
    value = getattr(policy, name)
    changed = replace(policy, **{name: value + 1 if isinstance(value, int) else value + "x"})
    assert versioned(changed).version != versioned(policy).version
