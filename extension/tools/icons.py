"""Renders the icons from their drawings: `python extension/tools/icons.py`. Run it after changing an SVG; the PNGs are committed."""

import os
from pathlib import Path

from playwright.sync_api import sync_playwright

ICONS = Path(__file__).resolve().parent.parent / "icons"
DRAWINGS = {16: "icon-small.svg", 32: "icon-small.svg", 48: "icon.svg", 128: "icon.svg"}


def main() -> None:
    """Draws each size from the drawing made for it; at 16 and 32 pixels fine lines would blur."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--headless=new", "--no-sandbox"]
        )
        for size, drawing in DRAWINGS.items():
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(f"<style>body{{margin:0}}svg{{display:block;width:{size}px;height:{size}px}}</style>")
            page.evaluate("svg => document.body.innerHTML = svg", (ICONS / drawing).read_text())
            page.screenshot(path=ICONS / f"{size}.png", omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
