"""The OpenAPI 3.1 description of the worker service: health and readiness alone."""

import functools
from typing import Any

from shared.web.openapi import components, document


@functools.cache
def openapi() -> dict[str, Any]:
    """The document served at `/openapi.json`."""
    return document("Studio Pulse worker", {}, components())
