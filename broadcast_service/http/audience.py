"""`/api/tracking/audience`: how many viewers the feeds in scope had."""

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broadcast_service.http.answers import store_answers, while_connected
from broadcast_service.http.reads import Reads
from broadcast_service.reports.audience import Audiences, parse_hour
from shared.contract.codec import encode


class AudienceEndpoint:
    """The mean number of viewers in a span."""

    def __init__(self, reads: Reads, audiences: Audiences) -> None:
        self._reads = reads
        self._audiences = audiences

    def routes(self) -> list[BaseRoute]:
        """Starlette's route to the method below."""
        return [Route("/api/tracking/audience", self.mean)]

    async def mean(self, request: Request) -> Response:
        """The mean of a span; raises also a 422 Problem."""
        read = self._reads.admit(request)
        scope = read.scope(request)
        start, end = parse_hour(request.query_params, now_seconds=int(time.time()))
        async with read.turn():
            with store_answers():
                found = await while_connected(request, self._audiences.mean(scope, start, end, read.charge))
        read.check_valid()
        return read.json(encode(found))
