"""What must also hold of an LFUCache whose `__missing__` does not store; no agent sees this file."""

from cachetools import LFUCache


class Squares(LFUCache):
    def __missing__(self, key: int) -> int:
        return key * key


def test_a_key_that_was_only_looked_up_takes_no_part_in_eviction() -> None:
    cache = Squares(maxsize=2)
    cache[1] = "one"
    assert [cache[5], cache[5], cache[6]] == [25, 25, 36]
    cache[2] = "two"
    cache[3] = "three"
    assert len(cache) == 2
    assert 3 in cache


def test_the_least_used_key_goes_first() -> None:
    cache = Squares(maxsize=2)
    cache[1] = "one"
    cache[2] = "two"
    assert [cache[1], cache[1], cache[2]] == ["one", "one", "two"]
    cache[3] = "three"
    assert sorted(cache) == [1, 3]


def test_storing_a_key_again_counts_as_a_use() -> None:
    cache = Squares(maxsize=2)
    for value in "abc":
        cache[1] = value
    cache[2] = "two"
    cache[3] = "three"
    assert sorted(cache) == [1, 3]
