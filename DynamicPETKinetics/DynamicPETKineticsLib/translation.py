"""Translation of what people read; outside Slicer the texts stay as they are written."""

from __future__ import annotations

try:
    from slicer.i18n import tr as _
except ImportError:

    def _(text: str, *_context: object) -> str:
        """The text itself."""
        return text


__all__ = ["_"]
