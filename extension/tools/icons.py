"""Renders the icons from their drawings: `python extension/tools/icons.py`. Run it after changing an SVG; the PNGs are committed."""

import os
from pathlib import Path

from playwright.sync_api import sync_playwright

ICONS = Path(__file__).resolve().parent.parent / "icons"
DRAWINGS = {16: "icon-16.svg", 32: "icon-32.svg", 48: "icon.svg", 128: "icon.svg"}
MARGINS = {128: 16}  # the store wants room around its picture


def main() -> None:
    """Draws each size from the drawing made for it; small ones keep to whole pixels."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--headless=new", "--no-sandbox"]
        )
        for size, drawing in DRAWINGS.items():
            page = browser.new_page(viewport={"width": size, "height": size})
            margin = MARGINS.get(size, 0)
            page.set_content(f"<style>body{{margin:{margin}px}}svg{{display:block;width:{size - 2 * margin}px}}</style>")
            page.evaluate("svg => document.body.innerHTML = svg", (ICONS / drawing).read_text())
            page.screenshot(path=ICONS / f"{size}.png", omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
