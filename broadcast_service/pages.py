"""The dashboard's files, served with a policy that lets the page run its own code and nothing else."""

import pathlib
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

DIRECTORY: Final = pathlib.Path(__file__).parent / "dashboard"

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class Pages(StaticFiles):
    """Static files with the security headers; validators let a browser keep its copy without asking for the body again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or a 404 problem."""
        response = await super().get_response(path, scope)
        if response.status_code == 404:
            raise HTTPException(404)
        response.headers.update(HEADERS)
        return response


def pages() -> Mount:
    """Everything under `/` that no other route took."""
    return Mount("/", Pages(directory=DIRECTORY, html=True))
