"""What the agent says that it has used, as totals so far."""

from __future__ import annotations

from .untrusted import amount, items, mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Usage"]


class Usage:
    """Tokens and dollars of the whole attempt.

    `counts` says what the end of a turn tells: the tokens of that ``turn``, of the ``session``, or ``nothing`` that
    could be added up, as some agents tell those of their last model call only. It is the gateway's count that binds.
    """

    def __init__(self, counts: str) -> None:
        self._counts = counts
        self._totals = {"tokens": 0, "cached_tokens": 0, "reasoning_tokens": 0}
        self._usd: float | None = None
        self._told: dict[str, float] = {}

    def cost(self, update: Mapping[str, Any]) -> None:
        """Take in the cost of the session so far; what an update calls `used` is the context, which nobody pays."""
        cost = mapping(update.get("cost"))
        usd = amount(cost.get("amount"))
        if usd is not None and cost.get("currency", "USD") == "USD":
            self._usd = max(usd, self._usd or 0.0)

    def turn(self, result: Mapping[str, Any]) -> None:
        """Take in what the end of a turn tells."""
        said = mapping(result.get("usage"))
        quota = mapping(mapping(result.get("_meta")).get("quota"))
        # Some count here what they ask small models beside the main one, and some tell tokens nowhere else.
        further = [_sum(mapping(quota.get("token_count")))]
        further.append(sum(_sum(mapping(mapping(each).get("token_count"))) for each in items(quota.get("model_usage"))))
        found = {
            "tokens": max(amount(said.get("totalTokens")) or 0, *further),
            "cached_tokens": amount(said.get("cachedReadTokens")),
            "reasoning_tokens": amount(said.get("thoughtTokens")),
        }
        for name, value in found.items() if self._counts != "nothing" else ():
            if value:
                known = self._totals[name]
                self._totals[name] = int(value) + known if self._counts == "turn" else max(int(value), known)

    def news(self) -> Mapping[str, float]:
        """The totals, if they are other than before; empty: nothing new."""
        totals: dict[str, float] = {name: value for name, value in self._totals.items() if value}
        if self._usd is not None:
            totals["usd"] = self._usd
        if totals == self._told:
            return {}
        self._told = totals
        return totals


def _sum(count: Mapping[str, Any]) -> float:
    """All tokens of one count, in either of the spellings that there are."""
    parts = [amount(count.get(name)) or 0 for name in ("input_tokens", "output_tokens")]
    return amount(count.get("totalTokens")) or sum(parts)
