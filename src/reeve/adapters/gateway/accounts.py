"""Whose budgets a request counts against, and what they know from the ledger."""

import datetime as dt
from collections.abc import Iterable

from reeve.adapters.gateway.budgets import Account
from reeve.records import Budgets, Door, Request

__all__ = ["Accounts"]


class Accounts:
    """The accounts of attempts, tasks, the run and each day, made when they are first asked for."""

    def __init__(self, budgets: Budgets, run: str) -> None:
        self._budgets = budgets
        self._run_name = run
        self._run = Account("this run", budgets.run_tokens, budgets.run_usd)
        self._days: dict[str, Account] = {}
        self._tasks: dict[str, Account] = {}
        self._attempts: dict[str, Account] = {}

    def remember(self, requests: Iterable[Request]) -> None:
        """Count what was spent on the days and in the run before this gateway began."""
        for request in requests:
            _add(self._day(request.at_utc), request)
            if request.run == self._run_name:
                _add(self._run, request)

    def knows(self, task: str) -> bool:
        """Say whether a task was remembered before."""
        return task in self._tasks

    def remember_task(self, task: str, requests: Iterable[Request]) -> None:
        """Count what was spent on a task and each of its attempts, once."""
        account = self._tasks[task] = Account(f"the task {task}", self._budgets.task_tokens, self._budgets.task_usd)
        for request in requests:
            _add(account, request)
            _add(self._attempt(request.attempt), request)

    def of_attempt(self, door: Door) -> Account:
        """Return the account of an attempt, with the limits that its door names."""
        account = self._attempt(door.attempt)
        account.limit_tokens, account.limit_usd = door.limits.tokens, door.limits.usd
        return account

    def of(self, door: Door, at_utc: float) -> tuple[Account, ...]:
        """Return all that a request counts on; the task must have been remembered."""
        return (self.of_attempt(door), self._tasks[door.task], self._run, self._day(at_utc))

    def _attempt(self, attempt: str) -> Account:
        return self._attempts.setdefault(attempt, Account(f"the attempt {attempt}"))

    def _day(self, at_utc: float) -> Account:
        date = dt.datetime.fromtimestamp(at_utc, dt.UTC).date().isoformat()
        if date not in self._days:
            name = f"the day {date} (UTC)"
            self._days[date] = Account(name, self._budgets.day_tokens, self._budgets.day_usd)
        return self._days[date]


def _add(account: Account, request: Request) -> None:
    account.spent_tokens += request.tokens
    account.spent_usd += request.usd or 0.0
