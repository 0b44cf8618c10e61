"""Bytes and sizes that no request may have, on any path."""

import pytest

from shared.contract.problems import Problem
from shared.web.guard import MAX_PARAMETERS, MAX_QUERY_BYTES, check_target

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: f"U+{ord(control):04X}")
def test_a_control_character_in_a_path_is_refused(control: str) -> None:
    """At every place in it."""
    for path in (f"/metrics{control}", f"{control}/", f"/a{control}b"):
        with pytest.raises(Problem) as refusal:
            check_target(path, b"")
        assert refusal.value.status == 400


def test_a_query_is_bounded() -> None:
    """In bytes and in parameters, up to and including each bound."""
    check_target("/Room 12/ñ", b"a" * MAX_QUERY_BYTES)
    check_target("/", b"&".join([b"a=1"] * MAX_PARAMETERS))
    for query, status in ((b"a" * (MAX_QUERY_BYTES + 1), 414), (b"&".join([b"a"] * (MAX_PARAMETERS + 1)), 400), (b"&" * 16, 400)):
        with pytest.raises(Problem) as refusal:
            check_target("/", query)
        assert refusal.value.status == status
