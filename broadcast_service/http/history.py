"""`/api/tracking/telemetry/{room}/{platform}/history`: a room's points for charts."""

import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broadcast_service.http.answers import store_answers, while_connected
from broadcast_service.http.parameters import wants_csv
from broadcast_service.http.reads import ROOM_PATH, Reads
from broadcast_service.reports.history import History, parse_span, points_as_csv
from shared.contract.codec import encode

POINT_BYTES: Final = 200  # about what a point takes in memory


class HistoryEndpoint:
    """The history of one room as JSON or CSV."""

    def __init__(self, reads: Reads, history: History) -> None:
        self._reads = reads
        self._history = history

    def routes(self) -> list[BaseRoute]:
        """Starlette's route to the method below."""
        return [Route(ROOM_PATH + "/history", self.points)]

    async def points(self, request: Request) -> Response:
        """The points of a span; raises also a 422 Problem."""
        read, room_id, platform = self._reads.admit_room(request)
        span = parse_span(request.query_params, self._history.step_seconds, now_seconds=int(time.time()))
        csv = wants_csv(request.query_params)
        async with read.turn():
            with store_answers():
                points = await while_connected(request, self._history.points(room_id, platform, span, read.charge))
        read.check_valid()
        if csv:
            return read.csv(points_as_csv(points), POINT_BYTES * len(points), f"{room_id}-{platform}")
        answer = {"room_id": room_id, "platform": platform, "from": span.start, "to": span.end, "step": span.step, "points": points}
        return read.json(encode(answer))
