"""Pages that stand elsewhere in the repository, and links from a page to what stands elsewhere.

The texts are written for the repository: README.md lies at its top, and pages link to pictures, tests and scripts as
``../Testing/...``. Here README, CHANGELOG and the benchmarks' README become pages, pictures are copied, and other files
are linked where the repository is published. A link to a file that does not exist is a warning, so an error.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.repository")

ROOT = Path(__file__).resolve().parents[2]
#: page of the site -> file of the repository
PAGES = {
    "index.md": "README.md",
    "changes.md": "CHANGELOG.md",
    "benchmarks.md": "Testing/benchmarks/README.md",
}
#: where the pictures come from, and where they lie in the site
PICTURES = "Resources/screenshots"
LINK = re.compile(r"(!?\[(?:[^\]\\]|\\.)*\]\()([^)\s]+)(\))")
HREF = re.compile(r'(?<=<a )href="([^"]*)"')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures of the repository that lie outside ``docs``."""
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for picture in sorted((ROOT / PICTURES).glob("*.png")):
        files.append(File.generated(config, f"{PICTURES}/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Point links of a page to where their targets are in the site."""

    def moved(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        return f"{before}{_moved(target, page, config)}{after}"

    return LINK.sub(moved, markdown)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links of a notebook's page to where their targets are in the site: its HTML is made without MkDocs."""
    if not page.file.src_uri.endswith(".ipynb"):
        return content

    def moved(match: re.Match[str]) -> str:
        path, hash_, anchor = _moved(match[1], page, config).partition("#")
        target = files.get_file_from_path(os.path.normpath(PurePosixPath(page.file.src_uri).parent / path))
        return f'href="{path if target is None else target.url_relative_to(page.file)}{hash_}{anchor}"'

    return HREF.sub(moved, content)


def _moved(target: str, page: Page, config: MkDocsConfig) -> str:
    """A link's target, which is said as in the repository, as it is said among the pages' sources."""
    here = page.file.src_uri
    source = PurePosixPath(PAGES.get(here, f"docs/{here}"))
    places = {repository: page for page, repository in PAGES.items()}
    path, hash_, anchor = target.partition("#")
    if not path or re.match(r"[a-z]+:", path):
        return target
    wanted = os.path.normpath(source.parent / path)
    if wanted in places:
        place = places[wanted]
    elif wanted.startswith("docs/"):
        place = wanted.removeprefix("docs/")
    elif wanted.startswith(PICTURES):
        place = wanted
    elif (ROOT / wanted).exists():
        return f"{str(config.repo_url).rstrip('/')}/blob/main/{wanted}{hash_}{anchor}"
    else:
        log.warning("%s links to '%s', which does not exist.", source, target)
        return target
    return f"{os.path.relpath(place, PurePosixPath(here).parent)}{hash_}{anchor}"
