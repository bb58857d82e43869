"""What must also hold of numbered fields with a type; no agent sees this file."""

import parse


def test_a_number_before_the_colon_changes_nothing() -> None:
    assert parse.parse("{0:d}", "12").fixed == (12,)
    assert parse.parse("{0:d} and {1:w}", "12 and ham").fixed == (12, "ham")
    assert parse.parse("{10:d}", "12").fixed == (12,)
    assert parse.search("x={0:d};", "a x=7; b").fixed == (7,)
    assert [result.fixed for result in parse.findall("<{0:d}>", "<1><2>")] == [(1,), (2,)]


def test_anonymous_and_named_fields_are_parsed_as_before() -> None:
    assert parse.parse("{:d} {}", "12 ham").fixed == (12, "ham")
    assert parse.parse("{0} {1}", "spam ham").fixed == ("spam", "ham")
    assert parse.parse("{a:d} {b}", "12 ham").named == {"a": 12, "b": "ham"}
