"""Bodies that arrive hold a bounded part of the memory, in all and for each sender."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.problems import Problem
from shared.web.held_bodies import HeldBodies


def test_a_sender_has_its_part_and_leaves_the_rest_to_others() -> None:
    """429 for the sender that has had enough; another one's body is held."""
    held = HeldBodies(total_bytes=100, sender_bytes=40)
    with held.of("a") as first, held.of("a") as second, held.of("b") as other:
        first(30)
        second(10)
        with pytest.raises(Problem) as refused:
            second(1)
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
        other(40)
        assert held.total == 80


def test_all_senders_together_have_a_bound() -> None:
    """503 for the one that comes too late."""
    held = HeldBodies(total_bytes=100, sender_bytes=40)
    with held.of("a") as first, held.of("b") as second, held.of("c") as third:
        first(40)
        second(40)
        third(20)
        with pytest.raises(Problem) as refused:
            third(1)
        assert (refused.value.status, refused.value.headers["Connection"]) == (503, "close")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 60), max_size=5)), max_size=8))
def test_what_a_body_held_is_free_again_however_it_ends(bodies: list[tuple[str, list[int]]]) -> None:
    """Also after a refusal: a refused piece is not counted."""
    held = HeldBodies(total_bytes=100, sender_bytes=40)
    with contextlib.ExitStack() as arriving:
        for sender, pieces in bodies:
            count = arriving.enter_context(held.of(sender))
            for piece in pieces:
                with contextlib.suppress(Problem):
                    count(piece)
            assert held.total <= 100
    assert held.total == 0
    with held.of("a") as count:
        count(40)
