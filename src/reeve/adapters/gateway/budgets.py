"""Budgets: what is reserved before a request leaves, and settled after. No clock, no disk, no waiting.

Every request counts on several accounts at once: those of its attempt, its task, the run and the day. It is reserved on
all of them or on none, so that no two requests spend the same dollar.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reeve.adapters.gateway.prices import MILLION, Price

__all__ = ["LEAST_OUTPUT_TOKENS", "Account", "Reservation", "Shortfall", "reserve"]

LEAST_OUTPUT_TOKENS = 256
"""An answer cut off before that is worth nothing: with less left, the request does not leave."""

SMALLER = "; an answer in one piece must fit as a whole: ask for fewer tokens of output, or for a stream"

SLACK_USD = 1e-9
"""Sums of dollars are not exact; a budget is not passed by less than this."""


@dataclass(slots=True)
class Account:
    """What may be spent under one name, what is reserved and what was spent. A limit of None: there is none."""

    name: str  # after "the budget of"
    limit_tokens: int | None = None
    limit_usd: float | None = None
    spent_tokens: int = 0
    spent_usd: float = 0.0
    reserved_tokens: int = 0
    reserved_usd: float = 0.0

    @property
    def used_up(self) -> str:
        """Say that nothing is left, apart from what is reserved; an empty string: something is."""
        if self.limit_usd is not None and self.spent_usd >= self.limit_usd - SLACK_USD:
            return f"the budget of {self.name} is used up: {self.spent_usd:.4f} of {self.limit_usd:g} dollars"
        if self.limit_tokens is not None and self.spent_tokens >= self.limit_tokens:
            return f"the budget of {self.name} is used up: {self.spent_tokens} of {self.limit_tokens} tokens"
        return ""

    @property
    def shortage(self) -> str:
        """Say what of it is gone."""
        if self.limit_usd is not None:
            return f"the budget of {self.name} is used up: {self.limit_usd:g} dollars"
        return f"the budget of {self.name} is used up: {self.limit_tokens} tokens"

    def room(self, input_tokens: int, price: Price | None, *, reserved: bool) -> float:
        """Say how many tokens of output fit beside that input; below 0: not even the input does."""
        room = float("inf")
        if self.limit_tokens is not None:
            held = self.reserved_tokens if reserved else 0
            room = self.limit_tokens - self.spent_tokens - held - input_tokens
        if self.limit_usd is not None and price is not None:
            held_usd = self.reserved_usd if reserved else 0.0
            left = self.limit_usd - self.spent_usd - held_usd + SLACK_USD - input_tokens * price.input / MILLION
            if left < 0 or price.output:
                room = min(room, left / (price.output or 1.0) * MILLION)
        return room


@dataclass(slots=True)
class Reservation:
    """What one request may use for now: its input, and so many tokens of output."""

    accounts: tuple[Account, ...]
    price: Price | None
    input_tokens: int
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of all kinds."""
        return self.input_tokens + self.output_tokens

    @property
    def usd(self) -> float | None:
        """Dollars; None: no price is known."""
        return None if self.price is None else self._usd(self.input_tokens, self.output_tokens)

    @property
    def tightest(self) -> Account:
        """Return the account with the least room for more."""
        return min(self.accounts, key=lambda account: account.room(0, self.price, reserved=True))

    def more(self, wanted_tokens: int) -> int:
        """Reserve further output; returns how much there was, which may be less, or 0."""
        granted = _fitting((account.room(0, self.price, reserved=True) for account in self.accounts), wanted_tokens)
        if granted > 0:
            self._hold(0, granted)
            self.output_tokens += granted
        return max(0, granted)

    def others_hold(self, wanted_tokens: int) -> bool:
        """Say that so much further output would fit if what others have reserved were not used."""
        wanted_tokens += self.output_tokens
        rooms = (account.room(self.input_tokens, self.price, reserved=False) for account in self.accounts)
        return all(room >= wanted_tokens for room in rooms)

    def settle(self, tokens: int, usd: float | None) -> None:
        """Replace what was reserved by what was used."""
        self._hold(-self.input_tokens, -self.output_tokens)
        for account in self.accounts:
            account.spent_tokens += tokens
            account.spent_usd += usd or 0.0

    def _hold(self, input_tokens: int, output_tokens: int) -> None:
        for account in self.accounts:
            account.reserved_tokens += input_tokens + output_tokens
            account.reserved_usd += self._usd(input_tokens, output_tokens)

    def _usd(self, input_tokens: int, output_tokens: int) -> float:
        if self.price is None:
            return 0.0
        return (input_tokens * self.price.input + output_tokens * self.price.output) / MILLION


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a request does not fit; with `for_now`, it would if what others have reserved were not used."""

    reason: str
    for_now: bool = False


def reserve(
    accounts: Sequence[Account],
    model: str,
    price: Price | None,
    input_tokens: int,
    output_tokens: int,
    *,
    whole: bool = False,
) -> Reservation | Shortfall:
    """Reserve a request on all accounts, or say why not.

    Where its output does not fit, what is left is reserved if that is worth an answer; with `whole`, for an answer that
    cannot be cut off when it comes, nothing is. A model without a price does not fit into any budget of dollars.
    """
    if price is None and (limited := [account for account in accounts if account.limit_usd is not None]):
        return Shortfall(
            f"no price is known for the model {model!r}, so it does not fit into the budget of {limited[0].name} in "
            "dollars; name one in the file that `prices` of reeve.toml names"
        )
    least = output_tokens if whole else min(LEAST_OUTPUT_TOKENS, output_tokens)
    granted = _fitting((account.room(input_tokens, price, reserved=True) for account in accounts), output_tokens)
    if granted < least:
        return _shortfall(accounts, price, input_tokens, least, SMALLER if whole else "")
    reservation = Reservation(tuple(accounts), price, input_tokens, granted)
    reservation._hold(input_tokens, granted)  # noqa: SLF001 - made here alone
    return reservation


def _fitting(rooms: Iterable[float], wanted_tokens: int) -> int:
    return int(min((wanted_tokens, *rooms)))


def _shortfall(
    accounts: Sequence[Account], price: Price | None, input_tokens: int, least: int, advice: str
) -> Shortfall:
    tight = min(accounts, key=lambda account: account.room(input_tokens, price, reserved=True))
    for_now = all(account.room(input_tokens, price, reserved=False) >= least for account in accounts)
    if used_up := tight.used_up:
        return Shortfall(used_up)
    needed = input_tokens + least
    if price is not None and tight.limit_usd is not None:
        what = f"{tight.spent_usd:.4f} of {tight.limit_usd:g} dollars are spent"
        cost = (input_tokens * price.input + least * price.output) / MILLION
        return Shortfall(
            f"the budget of {tight.name} is too small for this: {what}, it needs about {cost:.4f}{advice}", for_now
        )
    what = f"{tight.spent_tokens} of {tight.limit_tokens} tokens are spent"
    return Shortfall(
        f"the budget of {tight.name} is too small for this: {what}, it needs about {needed}{advice}", for_now
    )
