"""What tokens cost: a table in a file, and the owner's own before it."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from reeve.adapters.gateway.usage import Usage
from reeve.errors import InputError

__all__ = ["BUILT_IN", "Price", "Prices", "read_prices"]

BUILT_IN = Path(__file__).parent / "prices.toml"
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens; what a provider names no price for costs as other input."""

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    web_search: float = 0.0  # per thousand
    fast: float = 2.0  # times as much for a mode that answers sooner
    above: int = 0  # tokens of the prompt from which on this price holds, for all of it

    def usd(self, usage: Usage) -> float:
        """Say what an answer cost."""
        write = self.input if self.cache_write is None else self.cache_write
        hour = write if self.cache_write_1h is None else self.cache_write_1h
        written = usage.cache_write or 0
        for_an_hour = min(usage.cache_write_1h, written)
        dollars = (
            usage.input * self.input
            + (usage.cached or 0) * (self.input if self.cached is None else self.cached)
            + (written - for_an_hour) * write
            + for_an_hour * hour
            + usage.output * self.output
        ) / MILLION
        return dollars * (self.fast if usage.fast else 1.0) + usage.searches * self.web_search / 1000

    def hurried(self) -> "Price":
        """Return the price of the mode that answers sooner, as far as it is needed before there is an answer."""
        return replace(self, input=self.input * self.fast, output=self.output * self.fast)


class Prices:
    """Finds the price of a model: the first table that knows it, in that the most specific name."""

    def __init__(self, tables: Iterable[Mapping[str, tuple[Price, ...]]]) -> None:
        self._tables = tuple(tables)
        self._found: dict[str, tuple[Price, ...]] = {}

    def price(self, model: str, prompt_tokens: int) -> Price | None:
        """Return what a model costs for a prompt of that length; None: no price is known."""
        if model not in self._found:
            if len(self._found) > 1000:  # names come from agents
                self._found.clear()
            self._found[model] = self._look_up(model)
        steps = [price for price in self._found[model] if prompt_tokens > price.above or not price.above]
        return max(steps, key=lambda price: price.above, default=None)

    def usd(self, model: str, usage: Usage) -> float | None:
        """Say what an answer of a model cost; None: no price is known."""
        price = self.price(model, usage.prompt)
        return None if price is None else price.usd(usage)

    def _look_up(self, model: str) -> tuple[Price, ...]:
        for table in self._tables:
            fitting = [pattern for pattern in table if pattern == model or fnmatchcase(model, pattern)]
            if fitting:
                return table[max(fitting, key=lambda pattern: (pattern == model, len(pattern.rstrip("*"))))]
        return ()


def read_prices(path: Path) -> Mapping[str, tuple[Price, ...]]:
    """Read a table: for each pattern of model names its prices; raises InputError naming the file and the entry."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"reading prices from {path}: {error}") from error
    entries = content.get("price", [])
    if not isinstance(entries, list) or not set(content) <= {"price", "source"}:
        raise InputError(f"reading prices from {path}: expected tables [[price]] and nothing else")
    table: dict[str, tuple[Price, ...]] = {}
    for number, entry in enumerate(entries, start=1):
        names, price = _entry(entry, f"{path}: price {number}")
        for name in names:
            table[name] = (*table.get(name, ()), price)
    return table


def _entry(entry: Any, where: str) -> tuple[list[str], Price]:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: expected a table [[price]]")
    names = entry.get("models")
    numbers = {key: value for key, value in entry.items() if key != "models"}
    unknown = sorted(set(numbers) - set(Price.__dataclass_fields__))
    wrong = [key for key, value in numbers.items() if not _is_price(value)]
    missing = sorted({"input", "output"} - set(numbers))
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f'{where}: needs `models`, a list of names or patterns such as ["my-model*"]')
    if unknown or wrong or missing:
        what = (
            f"unknown {unknown}" if unknown else f"no number from 0 on for {wrong}" if wrong else f"missing {missing}"
        )
        raise InputError(f"{where}: {what}; docs/gateway.md names the keys")
    return names, Price(**numbers)


def _is_price(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
