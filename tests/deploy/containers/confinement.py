"""What a container may do, as the kernel and the engine have it: user, file system, limits, whom it reaches, and its secrets."""

import json
import re
from typing import Final

from tests.deploy.compose import services
from tests.deploy.containers.stack import Stack, docker, run
from tests.deploy.test_memory import limit

# Connections to `address port` from inside of a container, all at once; prints those that are accepted.
CONNECT: Final = """
import concurrent.futures, socket, sys
def connect(target):
    address, port = target.split()
    try:
        socket.create_connection((address, int(port)), timeout=2).close()
        return target
    except OSError:
        return ""
with concurrent.futures.ThreadPoolExecutor(20) as pool:
    print(*filter(None, pool.map(connect, sys.argv[1:])), sep="\\n")
"""
Target = tuple[str, int]
PROBES: Final = ("/probe", "/etc/probe", "/usr/bin/probe", "/etc/pulse/probe")


def check_confinement(stack: Stack, name: str, identity: str = "") -> None:
    """Fails unless a service's container has no root, no capability, no way to gain any, a read-only root, and the declared limits."""
    identity = identity or stack.containers(name)[0]
    (inspected,) = json.loads(docker("inspect", identity))
    host, declared = inspected["HostConfig"], services()[name]
    limits = declared["deploy"]["resources"]["limits"]
    assert (host["ReadonlyRootfs"], host["Privileged"], host["CapDrop"], host["CapAdd"] or []) == (True, False, ["ALL"], [])
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["NanoCpus"], host["PidsLimit"], host["Memory"]) == (float(limits["cpus"]) * 1e9, limits["pids"], limit(name))
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}
    status = dict(re.findall(r"(?m)^(\w+):\s+(.+)$", docker("exec", identity, "cat", "/proc/1/status")))
    assert status["Uid"].split()[0] == declared["user"].split(":")[0] != "0"
    assert {int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    # Each path on a line of its own, so that one process is enough.
    written = run(
        "docker", "exec", identity, "sh", "-c", f"for path in {' '.join(PROBES)}; do (echo x >$path) && echo $path; done", check=False
    )
    assert written.stdout == ""
    assert len(re.findall("Read-only file system|Permission denied|nonexistent|No such", written.stderr)) == len(PROBES), written.stderr
    as_root = run("docker", "exec", "--user=0", identity, "sh", "-c", "echo x >/probe", check=False)
    assert "Read-only file system" in as_root.stderr


def secrets_shown(stack: Stack, name: str, identity: str = "") -> set[str]:
    """The names of the secrets that `docker inspect` of a service's container or the history of its image shows."""
    (inspected,) = json.loads(docker("inspect", identity or stack.containers(name)[0]))
    shown = json.dumps(inspected) + docker("image", "history", "--no-trunc", inspected["Config"]["Image"])
    return {key for key, value in secrets(stack).items() if value in shown or value.split(":")[-1] in shown}


def reached(stack: Stack, name: str, *targets: Target) -> set[Target]:
    """Those of some addresses, or names, and ports that accept a connection from the network of a service's container."""
    (identity,) = stack.containers(name)
    words = [f"{address} {port}" for address, port in targets]
    inside = [f"--network=container:{identity}", "--entrypoint=python", "--env=RES_OPTIONS=timeout:1 attempts:1"]  # for names that are none
    printed = docker("run", "--rm", *inside, stack.tools, "-c", CONNECT, *words)
    return {(address, int(port)) for address, port in (line.split() for line in printed.splitlines() if line)}


def addresses(stack: Stack, name: str) -> dict[str, str]:
    """The address of a service's container in each of its networks."""
    return {network: given["IPAddress"] for network, given in stack.inspect(name)["NetworkSettings"]["Networks"].items()}


def secrets(stack: Stack) -> dict[str, str]:
    """The passwords and keys of `.env`."""
    return {key: value for key, value in stack.secrets.items() if re.search("PASSWORD$|TOKEN_KEYS$", key)}
