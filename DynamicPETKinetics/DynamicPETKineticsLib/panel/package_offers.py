"""Offers to install what is missing, where the need is seen. Nothing is ever installed without a question."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import slicer
from DynamicPETKineticsLib.panel.widgets import say
from DynamicPETKineticsLib.translation import _

#: the extension's own list, beside the panel's file
REQUIREMENTS = Path(__file__).parents[2] / "Resources" / "requirements.txt"
_REQUESTER = "DynamicPETKinetics"


def is_there(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    return find_spec(package) is not None


class TorchOffer:
    """PyTorch for learned methods, through Slicer's PyTorch extension, which knows this computer's graphics card."""

    def __init__(self, ui: Any, installed: Any) -> None:
        """:param installed: called when PyTorch has come."""
        self.ui, self._installed = ui, installed
        ui.torchBox.hide()
        ui.torchButton.clicked.connect(self._on_install)

    def update(self, method: Any) -> bool:
        """Show the offer where a learned method lacks PyTorch.

        :returns: whether it is missing.
        """
        missing = bool(method.learned) and not is_there("torch")
        self.ui.torchBox.visible = missing
        if missing:
            say(self.ui.torchLabel, _("This method needs PyTorch. All others work without it."))
        return missing

    def _on_install(self, _checked: bool = False) -> None:
        try:
            import PyTorchUtils
        except ImportError:
            say(
                self.ui.torchLabel,
                _("Install the extension \u201cPyTorch\u201d in the Extensions Manager and restart Slicer."),
            )
            return
        PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True)
        self._installed()


class FiguresOffer:
    """What draws figures and reads compressed DICOM; reports are written without figures until then."""

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        ui.figuresButton.clicked.connect(self._on_install)
        self.update()

    def update(self) -> None:
        """Show the offer where matplotlib is missing."""
        self.ui.figuresBox.visible = not is_there("matplotlib")

    def _on_install(self, _checked: bool = False) -> None:
        from slicer.packaging import load_requirements, pip_ensure

        with slicer.util.tryWithErrorDisplay(_("The packages could not be installed."), waitCursor=True):
            pip_ensure(load_requirements(REQUIREMENTS), requester=_REQUESTER)
        self.update()
