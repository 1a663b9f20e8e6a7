"""The module ``ctk``: the widgets that a scripted module uses, no more."""

from __future__ import annotations

from types import ModuleType

from standin.panel import ctk_collapsible, ctk_edits, ctk_sliders
from standin.panel.ui_loader import CUSTOM_CLASSES


def make() -> ModuleType:
    """The module; Designer files may name its classes, too."""
    module = ModuleType("ctk", __doc__)
    for room in (ctk_collapsible, ctk_edits, ctk_sliders):
        for name, kind in vars(room).items():
            if name.startswith("ctk"):
                setattr(module, name, kind)
                CUSTOM_CLASSES[name] = kind
    return module
