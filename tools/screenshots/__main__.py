"""`python -m tools.screenshots`: pictures of the page.

Without options it writes the pictures of the documents to docs/images/. With `--matrix` it writes every view at every width, in all themes
and languages, with 0 to 500 rooms and with the link lost, to a directory of its own; the other options choose a part of that.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable

from playwright.sync_api import sync_playwright

from tools.screenshots.matrix import Wanted, take_matrix
from tools.screenshots.pictures import take_pictures
from tools.screenshots.scenes import LANGUAGES, SCHEMES, SIZES, STATES, VIEWS, looks, scenes

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
STYLES = tuple(f"{scheme}-{language}" for scheme in SCHEMES for language in LANGUAGES)
DEFAULT_DIRECTORY = pathlib.Path(tempfile.gettempdir(), "studio-pulse-screenshots")


def _some_of(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Reads a list with commas, of which each part must be known."""

    def read(text: str) -> list[str]:
        parts = text.split(",")
        if unknown := [part for part in parts if part not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
        return parts

    return read


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description=__doc__)
    parser.add_argument("--matrix", action="store_true", help="take the matrix instead of the documents' pictures")
    parser.add_argument("--views", type=_some_of(VIEWS), default=list(VIEWS), help=",".join(VIEWS))
    parser.add_argument("--states", type=_some_of(STATES), default=list(STATES), help=",".join(STATES))
    parser.add_argument("--widths", type=_some_of(tuple(map(str, SIZES))), default=list(map(str, SIZES)), help=",".join(map(str, SIZES)))
    parser.add_argument("--themes", type=_some_of(SCHEMES), default=list(SCHEMES), help=",".join(SCHEMES))
    parser.add_argument("--languages", type=_some_of(LANGUAGES), default=list(LANGUAGES), help=",".join(LANGUAGES))
    parser.add_argument("--styles", type=_some_of(STYLES), default=list(STYLES), help="pairs of these alone, as light-es,dark-en")
    parser.add_argument("--days", type=int, default=7, help="of simulated past")
    parser.add_argument("--full", action="store_true", help="whole pages instead of what fits the window")
    parser.add_argument("--axe", action="store_true", help="run axe on each; the exit status is 1 if it finds anything")
    parser.add_argument(
        "--geometry", action="store_true", help="look for words that are cut off, outside the window or over each other; likewise"
    )
    parser.add_argument("--no-pictures", action="store_true", help="write none, as with --axe or --geometry alone")
    parser.add_argument("--output", type=pathlib.Path, default=DEFAULT_DIRECTORY)
    return parser.parse_args()


def main() -> int:
    """Takes the pictures; returns the exit status."""
    asked = _arguments()
    wanted = Wanted(
        scenes=list(scenes(asked.views, asked.states)),
        looks=[
            look
            for look in looks(list(map(int, asked.widths)), asked.themes, asked.languages)
            if f"{look.scheme}-{look.language}" in asked.styles
        ],
        directory=None if asked.no_pictures else asked.output,
        days=asked.days,
        full=asked.full,
        axe=asked.axe,
        geometry=asked.geometry,
        report=lambda line: print(line, flush=True),
    )
    chromium = (
        os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        if not asked.matrix:
            take_pictures(browser)
            return 0
        began, taken, found = time.monotonic(), 0, 0
        for scene, look, findings in take_matrix(browser, wanted):
            taken += 1
            for finding in findings:
                found += 1
                print(f"{scene.file(look)}: {finding}", flush=True)
        print(f"{taken} looks in {time.monotonic() - began:.0f} s, {found} findings; {wanted.directory or 'no pictures'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
