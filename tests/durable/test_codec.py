"""Every record goes into the ledger and comes back equal; what does not fit is refused with its place."""

import dataclasses
import types
import typing
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reeve import records
from reeve.errors import LedgerError
from reeve.ledger.codec import decode, dumps, encode, loads

RECORDS = [getattr(records, name) for name in records.__all__ if dataclasses.is_dataclass(getattr(records, name))]
TEXT = st.text(st.characters(exclude_categories=()), max_size=12)


def strategy_of(hint):
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        return st.one_of(*map(strategy_of, typing.get_args(hint)))
    if origin is tuple:
        kinds = typing.get_args(hint)
        if kinds[-1] is Ellipsis:
            return st.lists(strategy_of(kinds[0]), max_size=2).map(tuple)
        return st.tuples(*map(strategy_of, kinds))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(TEXT, strategy_of(typing.get_args(hint)[1]), max_size=2)
    if dataclasses.is_dataclass(hint):
        return record_of(hint)
    if issubclass(hint, records.StrEnum):
        return st.sampled_from(list(hint))
    plain = {str: TEXT, int: st.integers(), bool: st.booleans(), bytes: st.binary(max_size=9), type(None): st.none()}
    return plain[hint] if hint in plain else st.floats(allow_nan=False, allow_infinity=False)


def record_of(record):
    hints = typing.get_type_hints(record)
    return st.builds(record, **{item.name: strategy_of(hints[item.name]) for item in dataclasses.fields(record)})


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_record_comes_back_equal(record):
    @given(record_of(record))
    def comes_back(value):
        assert loads(record, dumps(value)) == value

    comes_back()


def test_a_field_that_a_record_does_not_have_is_refused():
    body = encode(records.Base("/r", "c", "t")) | {"comit": "x"}
    with pytest.raises(LedgerError, match="comit"):
        decode(records.Base, body)


def test_a_field_that_is_missing_is_named_unless_it_has_a_default():
    with pytest.raises(LedgerError, match="commit"):
        decode(records.Base, {"repo": "/r", "tree": "t"})
    assert decode(records.CommandCheck, {"command": "true"}) == records.CommandCheck("true")


@pytest.mark.parametrize(
    ("record", "body"),
    [
        (records.Base, []),
        (records.Base, {"repo": 1, "commit": "c", "tree": "t"}),
        (records.Change, {"path": "a", "kind": "added", "lines_added": True}),
        (records.Event, {"at_utc": "now", "kind": "text", "text": ""}),
        (records.HiddenFile, {"path": "a", "content": "raw"}),
    ],
)
def test_a_wrong_type_is_refused(record, body):
    with pytest.raises(LedgerError):
        decode(record, body)


def test_what_is_no_record_cannot_be_stored():
    with pytest.raises(LedgerError, match="set"):
        encode({1, 2})
    with pytest.raises(LedgerError, match="not JSON"):
        loads(records.Base, b"{")
