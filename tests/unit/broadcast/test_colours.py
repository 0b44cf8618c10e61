"""Each colour of the page has one meaning: the rules that use it are named here, and no style sheet has a colour outside the palette."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from broadcast_service.http.static import DIRECTORY

STYLES = DIRECTORY / "styles"
NAMES = "white|black|red|green|blue|orange|gray|grey|yellow"
RAW = re.compile(rf"#[0-9a-f]{{3,8}}\b|\b(?:rgb|hsl|hwb|lab|lch|oklab|oklch|color)a?\(|\b(?:{NAMES})\b", re.IGNORECASE)
# What a colour is used for: each of these is found in the selectors of its rules, and its rules have no other selectors.
MEANINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "good": {
        "income": (
            r"\.flash",
            r"\.spark path",
            r"\.recent",
            r"\.goal-fill",
            r"\.kpi-pulse",
            r"#leaders li::after",
            r"\.hour-(?:bar|value)",
            r"\.wall-(?:spark|bar)",
            r"\.trend-bars",
            r"\.chart-(?:bars|open)",
            r"\.why-counted",
            r"'confirmed'.*\.why-words",
        ),
        "more of it than before": (r"data-versus='more'", r"data-way='up'", r"data-pace='up'"),
        "on air, and connected": (
            r"^\.badge$",
            r"\.wall-room \.dot",
            r"\.link\[data-phase='live'\]",
            r"data-tone='good'",
            r"\.brand svg|\.gate-mark",
        ),
    },
    "audience": {"viewers": (r"data-of='audience'",)},
    "warn": {
        "late": (r"data-status='stale'", r"^\.link$", r"data-tone='warn'", r"^\.notice$"),
        "doubtful": (
            r"\.lanes-mark",
            r"\.lanes-legend i",
            r"\.why-doubt",
            r"#why-desks|\.why-notice|\.why-desks",
            r"'set_aside'.*\.why-words",
            r"\.col-doubt",
        ),
        "less than before": (r"data-versus='less'", r"data-way='down'", r"data-pace='down'", r"data-kind='slow'"),
        "attention that can wait": (r"^\.need$",),
    },
    "bad": {
        "attention now": (r"data-severe='yes'",),
        "cut off": (r"data-tone='bad'", r"\.link\[data-phase='stopped'\]"),
        "refused": (r"\.gate-error|\.pairing-error",),
    },
    "accent": {
        "the focused element": (r":focus-visible|:focus$",),
        "what can be operated": (r"\ba\b|\.back|\.skip|button|input|\.lanes-why|\.why-link|\.primary", r"\.cell:"),
        "where the reader points": (r"\.lanes-brush",),
    },
    "heat": {"how much was earned": (r"\.cell", r"\.hours td", r"\.hour-bar")},
    "part": {"a part of a stack": (r"\.stack-part", r"\.swatch")},
}


class Rule(NamedTuple):
    """One selector of one rule, with the rule's declarations."""

    file: str
    selector: str
    declarations: str


def rules() -> Iterator[Rule]:
    """All rules of the style sheets, without those for Windows' own contrast colours."""
    for path in sorted(STYLES.glob("*.css")):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        for selectors, declarations in re.findall(r"([^{}]+)\{([^{}]*)\}", code):
            for selector in split(" ".join(selectors.split())):
                yield Rule(path.name, selector, declarations)


def split(selectors: str) -> Iterator[str]:
    """The selectors of a list; a comma within brackets does not end one."""
    depth, begin = 0, 0
    for place, char in enumerate(selectors):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            yield selectors[begin:place].strip()
            begin = place + 1
    yield selectors[begin:].strip()


def uses(colour: str) -> list[Rule]:
    """The rules that use a colour, or a shade of it."""
    shades = re.compile(rf"var\(--{colour}(?:-soft|-band|-\d)?\)")
    palette = re.compile(r"^\s*--[\w-]+:.*$", re.MULTILINE)
    return [rule for rule in rules() if rule.file != "theme.css" and shades.search(palette.sub("", rule.declarations))]


def test_no_style_sheet_has_a_colour_outside_the_palette() -> None:
    """`theme.css` defines them; a sheet of paper redefines one of them."""
    raw = [
        (rule.file, rule.selector, declaration.strip())
        for rule in rules()
        if rule.file != "theme.css"
        for declaration in rule.declarations.split(";")
        if RAW.search(declaration.partition(":")[2]) and not declaration.strip().startswith("--")
    ]
    assert raw == []


@pytest.mark.parametrize("colour", MEANINGS)
def test_a_colour_has_one_meaning(colour: str) -> None:
    """Every rule that uses it belongs to that meaning, and everything that is named is still there."""
    named = [re.compile(subject) for subjects in MEANINGS[colour].values() for subject in subjects]
    used = uses(colour)
    assert [f"{rule.file}: {rule.selector}" for rule in used if not any(subject.search(rule.selector) for subject in named)] == []
    assert [subject.pattern for subject in named if not any(subject.search(rule.selector) for rule in used)] == []


def test_every_colour_that_is_used_is_defined_and_every_one_that_is_defined_is_used() -> None:
    theme = (STYLES / "theme.css").read_text()
    defined = set(re.findall(r"^\s*(--[\w-]+):", theme, re.MULTILINE)) - {"--if-dark", "--if-light"}
    palette = {name for name in defined if RAW.search(re.findall(rf"{name}:(.*)", theme)[0])}
    used = set(re.findall(r"var\((--[\w-]+)", "".join(path.read_text() for path in STYLES.glob("*.css"))))
    assert len(palette) > 25
    assert palette - used == set()
