"""All themes come from one palette: each colour has a value in each, whether the system or the reader chooses the theme."""

import re

from tests.support.browser import Opener
from tests.support.studio import Studio

GROUND = {"dark": "rgb(12, 14, 18)", "light": "rgb(245, 246, 248)", "contrast": "rgb(0, 0, 0)"}
TEXT = ("--text", "--muted", "--accent", "--audience", "--good", "--warn", "--bad")
GROUNDS = ("--ground", "--surface", "--raised")
COLOURS = """() => {
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) => rule.selectorText === ':root');
  const names = rules.flatMap((rule) => [...rule.style]).filter((name) => name.startsWith('--') && !/^--(if-|shadow)/.test(name));
  const probe = document.body.appendChild(document.createElement('i'));
  const values = names.map((name) => {
    probe.style.setProperty('background-color', `var(${name})`);
    return [name, getComputedStyle(probe).backgroundColor];
  });
  probe.remove();
  return Object.fromEntries(values);
}"""


def luminance(colour: str) -> float:
    """The relative luminance of WCAG, of an opaque colour as a browser reports it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


CHOICES = (("dark", None), ("light", None), ("dark", "light"), ("light", "dark"), ("light", "contrast"))
CHOOSE = "(theme) => { if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme; }"


def test_every_colour_has_a_value_in_the_theme_that_holds(studio: Studio, visit: Opener) -> None:
    page = visit(studio).open().page
    for system, chosen in CHOICES:
        page.emulate_media(color_scheme="dark" if system == "dark" else "light")
        page.evaluate(CHOOSE, chosen)
        theme = chosen or system
        colours = page.evaluate(COLOURS)
        assert len(colours) > 20
        assert [name for name, value in colours.items() if value == "rgba(0, 0, 0, 0)"] == []
        assert colours["--ground"] == GROUND[theme]
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == {"contrast": "dark"}.get(theme, theme)
        ratios = {(name, ground): contrast(colours[name], colours[ground]) for name in TEXT for ground in GROUNDS}
        least = 7 if theme == "contrast" else 4.5
        assert {pair: round(ratio, 1) for pair, ratio in ratios.items() if ratio < least} == {}, theme
        assert min(contrast(colours["--edge"], colours[ground]) for ground in GROUNDS) >= 3, theme
