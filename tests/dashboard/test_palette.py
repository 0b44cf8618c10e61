"""Both themes come from one palette: each colour has a value in each, whether the system or the reader chooses the theme."""

import pytest

from tests.support.browser import Opener
from tests.support.studio import Studio

GROUND = {"dark": "rgb(12, 14, 18)", "light": "rgb(245, 246, 248)"}
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


@pytest.mark.parametrize(("system", "chosen"), [("dark", None), ("light", None), ("dark", "light"), ("light", "dark")])
def test_every_colour_has_a_value_in_the_theme_that_holds(studio: Studio, visit: Opener, system: str, chosen: str | None) -> None:
    page = visit(studio, color_scheme=system).open().page
    if chosen:
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", chosen)
    theme = chosen or system
    colours = page.evaluate(COLOURS)
    assert len(colours) > 20
    assert [name for name, value in colours.items() if value == "rgba(0, 0, 0, 0)"] == []
    assert colours["--ground"] == GROUND[theme]
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == theme
