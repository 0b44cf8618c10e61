"""`/api/tracking/analytics`: what the feeds in scope earned."""

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broadcast_service.http.answers import store_answers, while_connected
from broadcast_service.http.parameters import wants_csv
from broadcast_service.http.reads import Reads
from broadcast_service.reports.analytics import parse_wanted
from broadcast_service.reports.report_queue import Reports


class AnalyticsEndpoint:
    """Reports of earnings as JSON or CSV. `step_seconds` is the step of the stored history."""

    def __init__(self, reads: Reads, reports: Reports, step_seconds: int) -> None:
        self._reads = reads
        self._reports = reports
        self._step_seconds = step_seconds

    def routes(self) -> list[BaseRoute]:
        """Starlette's route to the method below."""
        return [Route("/api/tracking/analytics", self.report)]

    async def report(self, request: Request) -> Response:
        """The report of a span; raises also a 422 Problem."""
        read = self._reads.admit(request)
        csv = wants_csv(request.query_params)
        wanted = parse_wanted(request.query_params, read.scope(request), self._step_seconds, now_seconds=int(time.time()), csv=csv)
        with store_answers(), read.charging_for_refusals():
            made = await while_connected(request, self._reports.get(wanted, read.claims.subject, read.charge, read.admit))
        read.check_valid()
        if isinstance(made, bytes):
            return read.json(made)
        return read.csv(made.csv(), made.size(), "earnings")
