"""What must also hold of dumped mappings; no agent sees this file."""

from marshmallow import fields


def dump(field: fields.Field, value: object) -> object:
    return field.serialize("key", {"key": value})


def test_a_plain_dict_is_dumped_as_an_equal_dict_of_its_own() -> None:
    for value in ({}, {"a": {"b": 1}}, {1: None}):
        dumped = dump(fields.Dict(), value)
        assert type(dumped) is dict
        assert dumped == value
        assert dumped is not value


def test_keys_and_values_are_dumped_by_their_fields() -> None:
    assert dump(fields.Dict(values=fields.Integer()), {"a": "1"}) == {"a": 1}
    assert dump(fields.Dict(keys=fields.String()), {1: "a"}) == {"1": "a"}
    assert dump(fields.Dict(keys=fields.String(), values=fields.Float()), {1: "2"}) == {"1": 2.0}


def test_nothing_is_dumped_as_nothing() -> None:
    assert dump(fields.Dict(), None) is None
