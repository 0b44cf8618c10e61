"""Images under the names that compose.yaml and the Dockerfile pin, built from the parts of `parts.py`: no registry is needed."""

import hashlib
import json
import os
import shutil
import subprocess
from typing import Final

from tests.deploy import dockerfile
from tests.deploy.compose import services
from tests.deploy.containers.parts import CACHE, POSTGRES, PROGRAMS_OF_PACKAGES, NoEngine, run, stamps
from tools.processes import ROOT

HERE: Final = ROOT / "tests" / "deploy" / "containers"
STANDINS: Final = ("redis", "postgres", "prometheus", "redis-exporter")  # services whose image is not built here and has a stand-in
ROOT_IMAGE: Final = "studio-pulse-test-root"
MAX_IMAGE_BYTES: Final = 300 * 1000 * 1000
LABEL: Final = "studio-pulse-test"


def images() -> set[str]:
    """The images that are not built here."""
    return dockerfile.images() | {service["image"] for name, service in services().items() if name in STANDINS}


def load_images() -> None:
    """Builds the stand-ins, unless they are there from the same parts. Raises NoEngine if one fails or is too large."""
    file, start = HERE / "standins.dockerfile", HERE / "postgres-start.sh"
    digest = hashlib.sha256("".join([file.read_text(), start.read_text(), *stamps()]).encode()).hexdigest()
    if all(_labels(name).get(LABEL) == digest for name in images()):
        return
    context = CACHE / "context"
    shutil.rmtree(context, ignore_errors=True)
    (context / "bin").mkdir(parents=True)
    for name in ("caddy", *PROGRAMS_OF_PACKAGES):
        os.link(CACHE / "bin" / name, context / "bin" / name)
    shutil.copytree(CACHE / "wheels", context / "wheels", copy_function=os.link)
    shutil.copytree(POSTGRES, context / "postgresql", symlinks=True, copy_function=os.link)
    shutil.copy(start, context)
    run(["docker", "import", str(CACHE / "root.tar"), ROOT_IMAGE])
    for name in sorted(images()):
        kind = name.split(":")[0].split("/")[-1]
        options = ["--quiet", "--target", kind, "--label", f"{LABEL}={digest}", "--tag", name, "--file", str(file)]
        run(["docker", "build", *options, str(context)])
        size = int(run(["docker", "image", "inspect", "--format", "{{.Size}}", name]))
        if size > MAX_IMAGE_BYTES:
            raise NoEngine(f"the stand-in {name} has {size} bytes, and at most {MAX_IMAGE_BYTES} are allowed")
    shutil.rmtree(context)


def _labels(image: str) -> dict[str, str]:
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image], capture_output=True, text=True, check=False
    )
    return dict(json.loads(done.stdout) or {}) if done.returncode == 0 else {}
