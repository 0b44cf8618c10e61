"""The list of metrics: what derives from it on the server, and that the page has the same list and the words of each."""

import itertools
import re
from typing import Any

import msgspec
import pytest

from broadcast_service.http.asyncapi import asyncapi
from broadcast_service.http.openapi import openapi as broadcast_openapi
from broadcast_service.reports.history import Point, points_as_csv
from ingest_service.openapi import openapi as ingest_openapi
from shared.contract.history_record import LAYOUT, LAYOUTS
from shared.contract.readings import FIRST_LAYOUT, METRICS, Reading, StoredReading, values_of
from tools.processes import ROOT
from tools.simulator.studio import studio

NAMES = [metric.name for metric in METRICS]
DASHBOARD = ROOT / "broadcast_service" / "dashboard"
LISTED = re.findall(r"\{ name: '(\w+)', isCount: (\w+)", (DASHBOARD / "state" / "metrics.js").read_text())


def properties(document: dict[str, Any], schema: str) -> list[str]:
    """The names of a schema's properties."""
    return list(document["components"]["schemas"][schema]["properties"])


def test_the_balance_is_the_first_metric() -> None:
    """The history record, the commit script and income know it by its place."""
    assert METRICS[0][:2] == ("tokens_count", "tokens")


def test_a_layout_has_at_least_one_metric_of_its_own() -> None:
    """Layouts are numbered without a gap, and each holds the metrics of the one before."""
    assert {metric.layout for metric in METRICS} == set(range(FIRST_LAYOUT, LAYOUT.number + 1))
    for newer, older in itertools.pairwise(LAYOUTS):
        assert list(newer.metrics[: len(older.metrics)]) == list(older.metrics)
    assert list(LAYOUT.metrics) == METRICS


def test_points_and_csv_have_a_column_for_each_metric() -> None:
    """In the order of the list; an unknown value is empty."""
    assert [field.name for field in msgspec.structs.fields(Point)] == ["t", *NAMES]
    values = [*range(len(NAMES) - 1), None]
    header, row = points_as_csv([Point(1_764_000_000, *values)])
    assert header == f"time,{','.join(NAMES)}\r\n"
    assert row == f"2025-11-24T16:00:00Z,{','.join(str(number) for number in range(len(NAMES) - 1))},\r\n"


def test_the_schemas_have_a_property_for_each_metric() -> None:
    """Posted and stored readings, events and the points of charts."""
    fields = [metric.field for metric in METRICS]
    for struct in (Reading, StoredReading):
        assert set(fields) <= set(struct.__struct_fields__)
    for document, schema, names in [
        (ingest_openapi(), "Reading", fields),
        (broadcast_openapi(), "StoredReading", fields),
        (broadcast_openapi(), "Point", NAMES),
        (broadcast_openapi(), "EventData", NAMES),
        (asyncapi(), "EventData", NAMES),
    ]:
        assert set(names) <= set(properties(document, schema))


def test_the_simulator_reports_every_metric() -> None:
    """So that a fresh stack shows each of them."""
    readings = [room.step(1_764_000_000.0) for room in studio(40, seed=1, now_seconds=1_764_000_000.0)]
    reported = [values_of(reading) for reading in readings if reading]
    assert [name for name, values in zip(NAMES, zip(*reported, strict=True), strict=True) if not any(values)] == []


def test_the_page_has_the_same_list() -> None:
    """In an order of its own, since a reader looks for the audience first."""
    assert {name for name, _ in LISTED} == set(NAMES)
    assert len(LISTED) == len(NAMES)


@pytest.mark.parametrize("language", ["en", "es"])
def test_both_languages_have_the_words_of_every_count(language: str) -> None:
    """Unit, title, caption, order and explanation."""
    words = (DASHBOARD / "i18n" / f"{language}.js").read_text()
    for name in (name for name, is_count in LISTED if is_count == "true"):
        for key in (name, f"kpi_{name}", f"kpi_{name}_sub", f"sort_{name}", f"explain_{name}"):
            assert re.search(rf"^  {key}:", words, re.MULTILINE), key
