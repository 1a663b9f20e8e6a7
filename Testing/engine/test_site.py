"""The check of the built site (docs/site/links.py), which ``make docs`` runs, sees what readers would stumble on."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))
from links import complaints  # noqa: E402

METHODS = '<h1 id="methods">Methods</h1><h2 id="blood-curve">Blood curve</h2>'


def complaints_of(folder: Path, page: str, style: str = "") -> list[str]:
    (folder / "notebooks").mkdir()
    (folder / "methods.html").write_text(METHODS)
    (folder / "style.css").write_text(style)
    (folder / "notebooks" / "first.html").write_text(page)
    return list(complaints(folder))


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ('<a href="../methods.md">methods</a>', "'../methods.md', which is not in the site"),
        ('<a href="../methods.html#input">methods</a>', "methods.html has no such place"),
        ('<a href="#input">above</a>', "first.html has no such place"),
        ('<img src="../images/house.svg">', "'../images/house.svg', which is not in the site"),
        ('<script src="https://unpkg.com/shim"></script>', "loads https://unpkg.com/shim from elsewhere"),
        ('<link rel="stylesheet" href="//fonts.net/a.css">', "loads //fonts.net/a.css from elsewhere"),
        ('<script src=""></script>', "loads a file without a name"),
        ("<style>@import 'https://fonts.net/a.css';</style>", "loads https://fonts.net/a.css from elsewhere"),
        ('<p style="background: url(https://a.net/b.png)">', "loads https://a.net/b.png from elsewhere"),
    ],
)
def test_a_dead_link_or_a_file_from_elsewhere_is_seen(page: str, complaint: str, tmp_path: Path) -> None:
    (found,) = complaints_of(tmp_path, page)
    assert found.startswith("notebooks/first.html") and complaint in found


def test_a_style_sheet_that_loads_a_font_is_seen(tmp_path: Path) -> None:
    (found,) = complaints_of(tmp_path, "", "@font-face { src: url('https://fonts.net/a.woff2') }")
    assert found == "style.css loads https://fonts.net/a.woff2 from elsewhere."


@pytest.mark.parametrize(
    "page",
    [
        '<a href="../methods.html#blood-curve">methods</a>',
        '<a href="#here">here</a><p id="here">',
        '<a href="https://doi.org/10.1177/0271678X15569519">a paper</a>',
        '<link rel="canonical" href="https://example.org/">',
        '<link rel="stylesheet" href="../style.css">',
        '<img src="data:image/png;base64,AAAA">',
        '<p style="background: url(data:image/png;base64,AAAA)">',
    ],
)
def test_what_leads_somewhere_is_left_in_peace(page: str, tmp_path: Path) -> None:
    assert complaints_of(tmp_path, page) == []


def test_the_build_counts_its_warnings() -> None:
    # MkDocs' strict mode counts the warnings that are shown; with --quiet it counts none.
    (build,) = re.findall(r"mkdocs build.*", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert build == "mkdocs build"
    assert "strict: true" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8").splitlines()
