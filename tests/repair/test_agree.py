"""Plausible patches vote on inputs that no test has."""

from reeve.adapters.agents.repair.agree import inputs_near, plain, support


def test_inputs_are_near_those_of_the_tests_and_reproducible() -> None:
    made = inputs_near(["([1, 2, 3], 'ab')", "([], '')", "not a literal"], 4)
    assert made == inputs_near(["([1, 2, 3], 'ab')", "([], '')", "not a literal"], 4)
    assert made != inputs_near(["([1, 2, 3], 'ab')", "([], '')"], 5)
    assert len(made) > 20
    assert all(isinstance(numbers, list) and isinstance(text, str) for numbers, text in made)


def test_no_inputs_come_from_no_calls() -> None:
    assert inputs_near([], 1) == []


def test_only_small_plain_values_are_used_as_inputs() -> None:
    assert plain({"a": [1, (2.0, None)]})
    assert not plain(object())
    assert not plain([object()])
    assert not plain(list(range(1000)))


def test_a_candidate_alone_with_its_answers_has_less_support() -> None:
    found = support([["1", "2"], ["1", "2"], ["1", "9"], None], [1.0, 1.0, 1.0, 1.0])
    assert found[0] == found[1]
    assert found[2] is not None
    assert found[0] is not None
    assert found[2] < found[0]
    assert found[3] is None


def test_a_credible_candidate_weighs_more_than_many_others() -> None:
    found = support([["1"], ["2"], ["2"]], [1.0, 0.1, 0.1])
    assert found[0] is not None
    assert found[1] is not None
    assert found[0] > found[1]
