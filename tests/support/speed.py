"""Speed: every run measures and saves it; only `make bench-page` checks it, because a busy machine is no defect."""

import json
import os
from typing import Any, Final

from tools.processes import ROOT

RESULTS: Final = ROOT / "test-results"
JUDGES: Final = bool(os.environ.get("JUDGE_SPEED"))


def record(name: str, figures: dict[str, Any], *, is_good: bool) -> None:
    """Prints and saves figures; fails where speed is checked and they are not good."""
    print(f"\n{name}: {json.dumps(figures)}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"speed-{name}.json").write_text(json.dumps(figures, indent=1))
    assert is_good or not JUDGES, figures
