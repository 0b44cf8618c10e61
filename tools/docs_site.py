"""MkDocs hook: puts the top-level documents on the documentation site, and makes the documents' links work there.

The documents link to each other and to source files by relative paths, as a Git host shows them. On the site, links to documents point to
their pages. Links to source files become plain text, because the site has no source files.
"""

import pathlib
import posixpath
import re
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
TOP_LEVEL: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
LINK: Final = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")
IMAGE: Final = re.compile(r"(!\[[^\]]*\])\(docs/([^)\s]+)\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the top-level documents."""
    for name, page in TOP_LEVEL.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites the links of one document."""
    is_top_level = page.file.src_uri in TOP_LEVEL.values()

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        source = posixpath.normpath(target if is_top_level else posixpath.join("docs", target))
        on_site = TOP_LEVEL.get(source) or source.removeprefix("docs/")
        is_source = (ROOT / source).exists() and source not in TOP_LEVEL and on_site not in files.src_uris
        return text if is_source else f"[{text}]({on_site}{anchor})"

    return LINK.sub(link, IMAGE.sub(r"\1(\2)", markdown))
