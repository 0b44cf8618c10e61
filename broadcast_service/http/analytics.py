"""`/api/tracking/analytics`: what the feeds in scope earned."""

import datetime as dt
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broadcast_service.http.answers import store_answers, while_connected
from broadcast_service.http.reads import Reads
from broadcast_service.reports.files import local_csv, machine_csv
from broadcast_service.reports.report import Detail
from broadcast_service.reports.report_queue import Reports
from broadcast_service.reports.wanted import Asked, parse_wanted
from broadcast_service.reports.workbook import workbook
from shared.studio.config import Studio


class AnalyticsEndpoint:
    """Reports of earnings as JSON, CSV or XLSX. `step_seconds` is the step of the stored history."""

    def __init__(self, reads: Reads, reports: Reports, step_seconds: int, studio: Callable[[], Studio]) -> None:
        self._reads = reads
        self._reports = reports
        self._step_seconds = step_seconds
        self._studio = studio

    def routes(self) -> list[BaseRoute]:
        """Starlette's route to the method below."""
        return [Route("/api/tracking/analytics", self.report)]

    async def report(self, request: Request) -> Response:
        """The report of a span; raises also a 422 Problem."""
        read = self._reads.admit(request)
        scope = read.scope(request)
        asked = parse_wanted(
            request.query_params, scope, self._studio(), read.charge, step_seconds=self._step_seconds, now_seconds=int(time.time())
        )
        with store_answers(), read.charging_for_refusals():
            made = await while_connected(request, self._reports.get(asked.wanted, read.claims.subject, read.charge, read.admit))
        read.check_valid()
        if isinstance(made, bytes):
            return read.json(made)
        if made.detail is Detail.XLSX:
            return read.xlsx(workbook(made, asked.zone, asked.language), made.size(), _file_name(asked))
        lines = machine_csv(made) if made.detail is Detail.CSV else local_csv(made, asked.zone, asked.language)
        return read.csv(lines, made.size(), _file_name(asked))


def _file_name(asked: Asked) -> str:
    """The name of a file: the dates of its first and last second, in the zone of the request for a file for people."""
    steps, zone = asked.wanted.steps, dt.UTC if asked.wanted.detail is Detail.CSV else asked.zone
    first, last = (f"{dt.datetime.fromtimestamp(second, zone):%Y-%m-%d}" for second in (steps.start, steps.end - 1))
    return "earnings-" + (first if first == last else f"{first}-{last}")
