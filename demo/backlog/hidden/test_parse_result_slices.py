"""What must also hold of slices of a Result; no agent sees this file."""

import parse
import pytest


def test_slices_with_steps_and_negative_bounds_are_slices_of_the_fixed_fields() -> None:
    result = parse.parse("{} {} {} {}", "a b c d")
    assert result[::2] == ("a", "c")
    assert result[-2:] == ("c", "d")
    assert result[9:] == ()


def test_names_and_single_positions_are_looked_up_as_before() -> None:
    result = parse.parse("{} {name}", "a b")
    assert result[0] == "a"
    assert result["name"] == "b"
    with pytest.raises(KeyError):
        result["other"]
