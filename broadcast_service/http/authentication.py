"""Authenticates requests, handshakes, and the tokens that open sockets renew."""

import time
from collections.abc import Callable, Container

from starlette.requests import Request
from starlette.types import Scope

from broadcast_service.http.access import authenticate
from broadcast_service.signin.access import SCREEN
from shared.auth.audit import CLAIMS, Audit
from shared.tokens import Claims, TokenError, Verifier


class Authenticator:
    """Verifies tokens and checks that they have not been revoked. `ended` contains the ids of revoked tokens and of ended screens."""

    def __init__(self, verifier: Verifier, ended: Container[str], audit: Audit) -> None:
        self._verifier = verifier
        self._ended = ended
        self._audit = audit

    def claims_of(self, request: Request) -> Claims:
        """The claims of a request's token, or of its signed-in screen; raises a 400, 401 or 503 Problem."""
        claims = authenticate(request.headers, request.query_params, (), self.verify_for(request.scope), request.scope.get(SCREEN))
        request.scope[CLAIMS] = claims
        return claims

    def verify_for(self, scope: Scope) -> Callable[[str], Claims]:
        """A verifier that also records the claims in the scope of a request, for the audit log; it raises TokenError."""

        def verify(token: str) -> Claims:
            """The claims of a token; raises TokenError."""
            scope[CLAIMS] = claims = self._verifier.verify(token, time.time())
            return self._checked(claims)

        return verify

    def renew(self, opened_with: Claims, token: str) -> Claims:
        """The claims of a token that renews an open session; raises TokenError. The audit log has a refusal under the session's token."""
        try:
            return self._checked(self._verifier.verify(token, time.time()))
        except TokenError:
            self._audit.record("token.refused", detail="on an open socket", subject=opened_with.subject, jti=opened_with.token_id)
            raise

    def is_valid(self, claims: Claims) -> bool:
        """Whether claims that were valid before have neither expired nor been revoked."""
        return claims.expires_at > time.time() and not claims.is_ended(self._ended)

    def _checked(self, claims: Claims) -> Claims:
        if claims.is_ended(self._ended):
            raise TokenError
        return claims
