"""`/api/studio`: the studio's time zone, currency, names, shifts and targets, as far as the token covers them."""

import hashlib
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broadcast_service.http.budget import EVENT, SCANNED
from broadcast_service.http.reads import Read, Reads
from broadcast_service.relay.relay import Relay
from broadcast_service.reports.pace import Pace
from broadcast_service.studio.reloader import StudioFile
from broadcast_service.studio.view import view_of
from shared.auth.scope import Scope
from shared.contract.codec import encode
from shared.contract.events import account_of_event
from shared.contract.problems import API_HEADERS
from shared.studio.config import AccountId

NAMED: Final = 0.0012  # a room, an account or a shift in the file


class StudioEndpoint:
    """The studio file over HTTP."""

    def __init__(self, reads: Reads, relay: Relay, file: StudioFile) -> None:
        self._reads = reads
        self._relay = relay
        self._file = file

    def routes(self) -> list[BaseRoute]:
        """Starlette's route to the method below."""
        return [Route("/api/studio", self.studio)]

    async def studio(self, request: Request) -> Response:
        """The studio inside the token's scope, or 304 where the client has it already."""
        read = self._reads.admit(request)
        scope = read.claims.scope
        accounts = await self._accounts(read, scope)
        file = self._file
        read.charge(NAMED * (len(file.studio.rooms) + len(file.studio.accounts) + len(file.studio.shifts)))
        body = encode(
            view_of(
                file.studio,
                scope,
                now_seconds=int(time.time()),
                accounts=accounts,
                faults=file.faults,
                configured=file.is_configured,
            )
        )
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={**API_HEADERS, **headers})
        answer = read.json(body)
        answer.headers.update(headers)
        return answer

    async def _accounts(self, read: Read, scope: Scope) -> set[AccountId]:
        """The accounts whose balance is the latest one of a feed in scope; none is looked for where all may be seen."""
        found: set[AccountId] = set()
        if scope.is_everything or not (self._file.studio.accounts or self._file.studio.targets.accounts):
            return found
        async with read.turn():
            await self._relay.ready(scope)
            read.charge(SCANNED * (len(self._relay) if scope.prefixes else len(scope.rooms)))
            pace = Pace()
            for entry in self._relay.latest(scope):
                account = account_of_event(entry.event)
                if account:
                    found.add(AccountId(entry.platform, account))
                await pace.rest()
            read.charge(EVENT * len(found))
        return found
