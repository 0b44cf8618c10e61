"""The page's markup and its code agree on the names of data attributes."""

import re

import pytest

from tools.processes import ROOT

DASHBOARD = ROOT / "broadcast_service" / "dashboard"
ATTRIBUTES = sorted(set(re.findall(r"\sdata-([a-z0-9-]+)[=\s>]", (DASHBOARD / "index.html").read_text("utf-8"))))


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_data_attribute_of_the_page_is_read_by_its_code_or_styles(attribute: str) -> None:
    """An attribute that was renamed in the code alone would leave a word untranslated."""
    code = "\n".join(path.read_text("utf-8") for pattern in ("*.js", "*.css") for path in DASHBOARD.rglob(pattern))
    words = attribute.split("-")
    camel = words[0] + "".join(word.capitalize() for word in words[1:])
    assert re.search(rf"data-{attribute}\b|dataset\.{camel}\b|\[data-{attribute}", code)
