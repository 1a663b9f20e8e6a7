"""Looks through the built pages: every link leads to a page and a place in it, and nothing is loaded from elsewhere.

MkDocs checks the links of its Markdown only; those of the notebook, of docstrings and of the theme it does not see.
What is found is a warning, so an error in a strict build.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

log = logging.getLogger("mkdocs.hooks.links")

#: what a browser loads by itself, and the attribute that says from where
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}
#: of <link>: where something stands, not something to load
NOT_LOADED = {"canonical", "next", "prev", "alternate"}
#: its addresses are those of a server's root, as it is shown for any address
NOT_FOUND_PAGE = "404.html"
IN_STYLES = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)")


def on_post_build(config: MkDocsConfig) -> None:
    """MkDocs' call when all files are written."""
    for complaint in complaints(Path(config.site_dir)):
        log.warning(complaint)


class Page(HTMLParser):
    """What a page has: places (ids), links to follow, files that it loads, styles in it.

    :param text: of the HTML file.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.styles = ""
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """The parser's call for a tag."""
        of = dict(attrs)
        self.places |= {of[name] or "" for name in ("id", "name") if name in of}
        self.styles += of.get("style") or ""
        self._in_style = tag == "style"
        if tag == "a" and "href" in of:
            self.links.append(of["href"] or "")
        elif (name := LOADED.get(tag)) in of and (of.get("rel") or "") not in NOT_LOADED:
            self.loads.append(of[name] or "")

    def handle_data(self, data: str) -> None:
        """The parser's call for text."""
        if self._in_style:
            self.styles += data

    def handle_endtag(self, tag: str) -> None:
        """The parser's call for a tag's end."""
        self._in_style = self._in_style and tag != "style"


def complaints(site: Path) -> Iterator[str]:
    """A sentence for each dead link of a built site, and for each file that is loaded from elsewhere.

    :param site: its folder.
    """
    files = {file.relative_to(site).as_posix(): file for file in site.rglob("*") if file.is_file()}
    pages = {
        name: Page(file.read_text(encoding="utf-8"))
        for name, file in files.items()
        if name.endswith(".html") and name != NOT_FOUND_PAGE
    }
    for name, page in sorted(pages.items()):
        for load in page.loads:
            if not load:
                yield f"{name} loads a file without a name."
            elif _is_elsewhere(load):
                yield f"{name} loads {load} from elsewhere."
        yield from (f"{name} loads {found} from elsewhere." for found in IN_STYLES.findall(page.styles))
        for link in dict.fromkeys([*page.links, *page.loads]):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = name
            if parts.path:
                target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
            if target not in files:
                yield f"{name} links to '{link}', which is not in the site."
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                yield f"{name} links to '{link}', but {target} has no such place."
    for name, file in sorted(files.items()):
        if name.endswith(".css"):
            found = IN_STYLES.findall(file.read_text(encoding="utf-8"))
            yield from (f"{name} loads {one} from elsewhere." for one in found)


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https")
