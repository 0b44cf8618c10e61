"""The budget of a token in one ingest process."""

import pytest

from ingest_service.budget import MAX_DEBT_SECONDS, MAX_TOKENS, TokenBudget
from shared.contract.problems import Problem


def wait_of(budget: TokenBudget, token: str, now: float) -> int:
    """The seconds of Retry-After for a token, 0 for none."""
    try:
        budget.check(token, now)
    except Problem as problem:
        return problem.retry_after_seconds or 0 if problem.status == 429 else -1
    return 0


def test_items_that_were_refused_count_as_the_others_do() -> None:
    budget = TokenBudget(per_second=100, burst_seconds=2)
    budget.charge("a", 200, 0.0)
    assert wait_of(budget, "a", 0.0) > 0
    assert wait_of(budget, "b", 0.0) == 0
    assert wait_of(budget, "a", 1.0) == 0


def test_a_token_that_keeps_to_its_rate_never_meets_the_bound() -> None:
    budget = TokenBudget(per_second=100, burst_seconds=2)
    for at in range(10_000):
        assert wait_of(budget, "a", at / 100) == 0
        budget.charge("a", 1, at / 100)


@pytest.mark.parametrize("items", [1_000, 1_000_000])
def test_a_batch_that_was_too_large_keeps_its_token_waiting_for_a_second(items: int) -> None:
    """An outbox that drains after an outage is slowed down, not locked out."""
    budget = TokenBudget(per_second=5, burst_seconds=2)
    budget.charge("a", items, 0.0)
    assert wait_of(budget, "a", 0.0) == 1
    assert wait_of(budget, "a", MAX_DEBT_SECONDS) == 0


def test_without_a_rate_nothing_is_counted() -> None:
    budget = TokenBudget(per_second=0, burst_seconds=2)
    budget.charge("a", 1_000_000, 0.0)
    assert wait_of(budget, "a", 0.0) == 0


def test_the_tokens_that_are_remembered_are_bounded() -> None:
    budget = TokenBudget(per_second=1, burst_seconds=1)
    for number in range(MAX_TOKENS + 10):
        budget.charge(str(number), 5, 0.0)
    assert wait_of(budget, "0", 0.0) == 0
    assert wait_of(budget, str(MAX_TOKENS + 9), 0.0) == 1
