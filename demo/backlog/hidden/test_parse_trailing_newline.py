"""What must also hold at the end of a matched string; no agent sees this file."""

import parse


def test_a_newline_after_the_last_field_is_never_lost() -> None:
    assert parse.parse("{}", "a\n").fixed == ("a\n",)
    assert parse.parse("{} {}", "a b\n").fixed == ("a", "b\n")
    assert parse.parse("{:d}", "12\n") is None
    assert parse.parse("end", "end\n") is None


def test_a_string_without_a_newline_is_matched_as_before() -> None:
    assert parse.parse("{} {:d}", "a 12").fixed == ("a", 12)
    assert parse.parse("hello", "hello world") is None
    assert parse.search("{:d}", "line 12\nline 13\n").fixed == (12,)
