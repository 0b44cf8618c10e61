"""`/api/tracking/telemetry/{room}/{platform}/explain`: how a room's income was calculated."""

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broadcast_service.http.answers import store_answers, while_connected
from broadcast_service.http.reads import ROOM_PATH, Reads
from broadcast_service.reports.explanations import Explanations, parse_explained
from shared.contract.codec import encode
from shared.contract.feeds import Feed


class ExplainEndpoint:
    """The readings behind the income of one room."""

    def __init__(self, reads: Reads, explanations: Explanations) -> None:
        self._reads = reads
        self._explanations = explanations

    def routes(self) -> list[BaseRoute]:
        """Starlette's route to the method below."""
        return [Route(ROOM_PATH + "/explain", self.explain)]

    async def explain(self, request: Request) -> Response:
        """The explanation of a span; raises also a 422 Problem."""
        read, room_id, platform = self._reads.admit_room(request)
        span = parse_explained(request.query_params, self._explanations.step_seconds, now_seconds=int(time.time()))
        async with read.turn():
            with store_answers():
                found = await while_connected(request, self._explanations.make(Feed(room_id, platform), span, read.charge))
        read.check_valid()
        return read.json(encode(found))
