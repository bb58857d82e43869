"""What must also hold of an LRUCache whose `__missing__` does not store; no agent sees this file."""

from cachetools import LRUCache


class Squares(LRUCache):
    def __missing__(self, key: int) -> int:
        return key * key


def test_a_key_that_was_only_looked_up_takes_no_part_in_eviction() -> None:
    cache = Squares(maxsize=2)
    cache[1] = "one"
    assert cache[5] == 25
    cache[2] = "two"
    cache[3] = "three"
    assert sorted(cache) == [2, 3]


def test_reading_a_stored_key_still_keeps_it_longest() -> None:
    cache = Squares(maxsize=2)
    cache[1] = "one"
    cache[2] = "two"
    assert cache[1] == "one"
    cache[3] = "three"
    assert sorted(cache) == [1, 3]
