"""The README's chart, drawn by hand: CPU per delivered event and readings per second, beside floor and obvious implementation."""

import pathlib
from collections.abc import Mapping
from typing import Final

WIDTH, BAR, LABEL = 760, 26, 250
CPU: Final = (
    ("floor-single", "bare send() in C"),
    ("obvious-fanout", "queue and task per client"),
    ("fanout-unpaced", "Studio Pulse, one event per write"),
    ("fanout-100", "Studio Pulse, 100 events/s"),
    ("fanout-1000", "Studio Pulse, 1,000 events/s"),
)
INGEST: Final = (
    ("obvious-ingest", "one pipeline per POST"),
    ("ingest-single", "Studio Pulse, single POSTs"),
    ("ingest-batch", "Studio Pulse, batches of 500"),
)
STYLE: Final = (
    "<style>text{font:13px system-ui,sans-serif;fill:#334155}.t{font-weight:600;fill:#0f172a}.b{fill:#94a3b8}.o{fill:#0d9488}"
    "@media(prefers-color-scheme:dark){text{fill:#cbd5e1}.t{fill:#f8fafc}.b{fill:#64748b}.o{fill:#2dd4bf}}</style>"
)


def _bars(found: Mapping[str, Mapping[str, float]], title: str, figure: str, rows: tuple[tuple[str, str], ...], top: int) -> list[str]:
    shown = [(name, label, found[name][figure]) for name, label in rows if name in found]
    most = max((value for _, _, value in shown), default=1)
    parts = [f'<text class="t" x="0" y="{top + 14}">{title}</text>']
    for position, (name, label, value) in enumerate(shown, 1):
        y, width = top + position * BAR, max(2, (WIDTH - LABEL - 90) * value / most)
        kind = "b" if name.startswith(("floor", "obvious")) else "o"
        number = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
        parts.append(
            f'<text x="0" y="{y + 15}">{label}</text><rect class="{kind}" x="{LABEL}" y="{y + 3}" width="{width:.0f}" height="16" rx="3"/>'
            f'<text x="{LABEL + width + 8:.0f}" y="{y + 15}">{number}</text>'
        )
    return parts


def draw(found: Mapping[str, Mapping[str, float]], path: pathlib.Path) -> None:
    """Writes the chart as SVG."""
    second = (len(CPU) + 2) * BAR
    height = second + (len(INGEST) + 1) * BAR
    parts = _bars(found, "Microseconds of CPU per delivered event, 500 clients (less is better)", "cpu_us", CPU, 0)
    parts += _bars(found, "Readings per second on one core (more is better)", "per_second", INGEST, second)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Benchmark">'
        f"{STYLE}{''.join(parts)}</svg>\n"
    )
