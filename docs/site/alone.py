"""Takes out of the pages what would load something from elsewhere, or load nothing at all.

* The theme asks a server for the repository's stars: its mark is taken from the link to the repository.
* A notebook's page brings scripts for TeX and diagrams, which the notebook has not.

The search's worker is a file of ours, ``iframe-worker.js`` (mkdocs.yml, ``polyfills``). ``links.py`` sees what is left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)
STARS = ' data-md-component="source"'


def on_page_content(content: str, page: Page, **_: object) -> str:
    """A notebook's page without its scripts."""
    return SCRIPT.sub("", content) if page.file.src_uri.endswith(".ipynb") else content


def on_post_page(output: str, **_: object) -> str:
    """A page whose link to the repository is only a link."""
    return output.replace(STARS, "")


def on_post_template(output_content: str, **_: object) -> str:
    """The page of what is not found, likewise."""
    return output_content.replace(STARS, "")
