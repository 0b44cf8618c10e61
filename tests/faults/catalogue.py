"""The faults that the suite must contain, by number, and the table of what was seen of each in a run.

A test notes what it did and saw under the fault's number; test-results/faults.md is then the table that docs/reliability.md quotes.
"""

from typing import Final

from tests.stack import ROOT

FAULTS: Final = {
    1: "Redis is killed mid-traffic and comes back empty",
    2: "Redis is killed and comes back with its append-only file",
    3: "Redis stops answering, its sockets stay open",
    4: "A pause about as long as the timeout",
    5: "Redis is out of memory",
    6: "A key holds the wrong type",
    7: "The password is rotated",
    8: "The user may no longer subscribe",
    9: "broadcast is cut off from Redis",
    10: "ingest is cut off from Redis",
    11: "The subscription's connection is killed",
    12: "The subscription's output buffer overflows",
    13: "A failover, also to a replica that lags",
    14: "A Cluster slot moves",
    15: "Redis is full of clients, still loading, or busy with a script",
    16: "Clients that never read",
    17: "Clients that read a trickle",
    18: "A flood of pings",
    19: "Everyone reconnects at once",
    20: "A token expires, or is revoked, while connected",
    21: "Clocks are five minutes off, or step back",
    22: "Readings arrive twice, out of order, or late",
    23: "ingest is killed mid-request",
    24: "broadcast is told to stop under load, with a stuck reader",
    25: "broadcast is told to stop during handshakes",
    26: "All processes are restarted in turn",
    27: "No descriptors are left",
    28: "The event loop stands still for two seconds",
    29: "A long soak with churn",
    30: "A value outlives its TTL",
    31: "One Cluster node is sick, the others are well",
    32: "The relay itself breaks the promise",
}
NOTES: Final = ROOT / "test-results" / "faults.tsv"
TABLE: Final = NOTES.with_suffix(".md")
HEAD: Final = "| # | what was done | what producers and dashboards saw | healed after (s) |\n|---|---|---|---|\n"


def note(number: int, done: str, seen: str, healed_seconds: float | None) -> None:
    """Writes a row; one of an earlier run about the same is replaced."""
    assert number in FAULTS
    NOTES.parent.mkdir(exist_ok=True)
    rows = {_key(line): line for line in (NOTES.read_text().splitlines() if NOTES.exists() else ())}
    line = "\t".join((str(number), done, seen, "\N{EN DASH}" if healed_seconds is None else f"{healed_seconds:.1f}"))
    rows[_key(line)] = line
    lines = [rows[key] for key in sorted(rows, key=lambda key: int(key[0]))]
    NOTES.write_text("".join(f"{line}\n" for line in lines))
    TABLE.write_text(HEAD + "".join("| " + line.replace("\t", " | ") + " |\n" for line in lines))


def after(seconds: float) -> str:
    """How long something took, in words."""
    return "at once" if seconds < 0.05 else f"after {seconds:.1f} s"


def _key(line: str) -> tuple[str, str]:
    number, done, *_ = line.split("\t")
    return number, done
