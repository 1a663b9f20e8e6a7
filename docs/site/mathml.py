"""Equations as MathML, which browsers draw themselves: no script, nothing loaded, nothing to wait for.

The texts have equations as GitHub shows them: ``$...$`` in a line, and blocks fenced as ``math``.
"""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_page_content(content: str, **_: object) -> str:
    """Put MathML in place of the TeX of a page."""
    content = INLINE.sub(lambda match: _mathml(match[1], "inline"), content)
    return BLOCK.sub(lambda match: f'<div class="equation">{_mathml(match[1], "block")}</div>', content)


def _mathml(tex: str, display: str) -> str:
    return convert(html.unescape(tex).strip(), display=display)
