"""What must also hold of additional keys beside an Any() key; no agent sees this file."""

import pytest
from voluptuous import ALLOW_EXTRA, REMOVE_EXTRA, Any, MultipleInvalid, Required, Schema

KEYS = {Any("name", "area"): str, Required("domain"): str}


def test_values_of_known_keys_are_still_checked_when_additional_keys_are_removed() -> None:
    schema = Schema(KEYS, extra=REMOVE_EXTRA)
    for data in ({"name": 1, "domain": "two"}, {"name": "one", "domain": 2}, {"name": "one", "more": 3}):
        with pytest.raises(MultipleInvalid):
            schema(data)


def test_every_additional_key_is_removed() -> None:
    schema = Schema(KEYS, extra=REMOVE_EXTRA)
    assert schema({"domain": "two", "more": 1, 3: None}) == {"domain": "two"}


def test_allowed_keys_are_kept_and_forbidden_ones_reported() -> None:
    data = {"name": "one", "domain": "two", "more": 3}
    assert Schema(KEYS, extra=ALLOW_EXTRA)(data) == data
    with pytest.raises(MultipleInvalid):
        Schema(KEYS)(data)
