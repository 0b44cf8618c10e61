"""The OpenAPI documents against the running services: Schemathesis sends requests that they allow and requests that they forbid.

Schemathesis walks the edges of every parameter and body, leaves out required ones, uses methods that are not there, forgets and
forges the credential, and holds every answer against the document: status, media type, headers, schema. One check is left out, that
every valid value is accepted: a reading must also be of our time and of a room in the token's scope, which a schema cannot say.
"""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.support.posting import JSON, ONE, authorization, body_of, post
from tools.stack import Stack

SCHEMATHESIS = str(pathlib.Path(sys.executable).with_name("schemathesis"))
BOUND_SECONDS = 280  # for one service, on a machine that is slow and busy with other things; alone it takes about ten


@pytest.mark.parametrize("kind", ["ingest", "broadcast"])
def test_the_service_is_what_its_document_says(stack: Stack, tmp_path: pathlib.Path, kind: str) -> None:
    """Hundreds of requests, the same ones every time, and no answer is a surprise."""
    services = {"ingest": stack.ingest(RATE_LIMIT_ROOM_PER_SECOND="0", BODY_TIMEOUT_SECONDS="0.5"), "broadcast": stack.broadcast()}
    seen = body_of(ONE, room_id="Room 12", platform="chaturbate")  # the example of the document
    assert post(services["ingest"], ONE, (*JSON, authorization(stack.token("ingest"))), seen).status == 200
    token = stack.token("ingest" if kind == "ingest" else "dashboard")
    command = [SCHEMATHESIS, "run", f"{services[kind].url}/openapi.json", "-H", ": ".join(authorization(token))]
    command += ["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--phases", "examples,coverage,fuzzing"]
    command += ["--max-examples", "10", "--seed", "1", "--generation-deterministic", "--no-color", "--warnings", "off"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=BOUND_SECONDS, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Traceback" not in services[kind].log.read_text()
