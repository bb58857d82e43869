"""What must also hold of loaded mappings; no agent sees this file."""

import pytest
from marshmallow import ValidationError, fields


def test_a_plain_dict_is_loaded_as_an_equal_dict_of_its_own() -> None:
    for data in ({}, {"a": {"b": 1}}, {1: None}):
        loaded = fields.Dict().deserialize(data)
        assert type(loaded) is dict
        assert loaded == data
        assert loaded is not data


def test_keys_and_values_are_loaded_by_their_fields() -> None:
    assert fields.Dict(values=fields.Integer()).deserialize({"a": "1"}) == {"a": 1}
    assert fields.Dict(keys=fields.Integer()).deserialize({"1": "a"}) == {1: "a"}
    assert fields.Dict(keys=fields.Integer(), values=fields.Float()).deserialize({"1": "2"}) == {1: 2.0}


def test_what_is_not_a_mapping_is_refused() -> None:
    for data in ("baddict", 1, [("a", 1)]):
        with pytest.raises(ValidationError):
            fields.Dict().deserialize(data)
