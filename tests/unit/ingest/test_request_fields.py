"""The fields that are read of a POST's header, whether or not other fields come twice."""

import pytest

from ingest_service.routes import read_fields
from shared.contract.problems import Problem

OTHERS = [(b"x-odd", b"1"), (b"x-odd", b"2")]
JSON = (b"content-type", b"application/json")
HEADERS: list[list[tuple[bytes, bytes]]] = [
    [],
    [JSON],
    [JSON, (b"authorization", b"Bearer x")],
    [JSON, (b"content-encoding", b"identity")],
    [JSON, (b"content-encoding", b"Identity")],
    [JSON, (b"content-encoding", b"gzip")],
    [JSON, (b"content-encoding", b"")],
    [JSON, (b"pulse-sent-at", b"5")],
    [JSON, (b"pulse-sent-at", b"")],
    [JSON, (b"origin", b"")],
    [(b"content-type", b"text/plain")],
    [(b"content-type", b"Application/JSON; charset=UTF-8")],
]


@pytest.mark.parametrize("headers", HEADERS)
def test_fields_that_come_once_are_read_alike_beside_others_that_come_twice(headers: list[tuple[bytes, bytes]]) -> None:
    credential, is_json, sent_at, has_origin = read_fields(headers)
    assert read_fields(headers + OTHERS) == (credential, is_json, list(sent_at), has_origin)
    assert read_fields(OTHERS + headers) == (credential, is_json, list(sent_at), has_origin)


def test_each_field_is_read_from_all_of_its_name() -> None:
    """The last media type counts, every encoding, every moment, and no second credential is accepted."""
    assert read_fields([(b"content-type", b"text/plain"), JSON]).is_json
    assert not read_fields([JSON, (b"content-type", b"text/plain")]).is_json
    for encodings in ((b"gzip", b"identity"), (b"identity", b"gzip")):
        assert not read_fields([JSON, *((b"content-encoding", encoding) for encoding in encodings)]).is_json
    assert read_fields([JSON, (b"content-encoding", b"identity"), (b"content-encoding", b"identity")]).is_json
    assert list(read_fields([(b"pulse-sent-at", b"1"), (b"pulse-sent-at", b"2")]).sent_at) == [b"1", b"2"]
    for second in (b"Bearer x", b"Bearer y", b""):
        with pytest.raises(Problem, match="more than one credential"):
            read_fields([(b"authorization", b"Bearer x"), (b"authorization", second)])
