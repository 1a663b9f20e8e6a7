"""A line for everything a series does not say, to be typed where the need is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt

from DynamicPETKineticsLib.panel.session import Session
from petkinetics.errors import InputError

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.sequence_questions import Missing


class MissingForm:
    """Asks for what a series lacks: first what nothing works without, then what SUV needs."""

    def __init__(self, box: Any, session: Session) -> None:
        self.box, self.session = box, session
        self._shown: tuple[str, ...] = ()
        self._rows: list[tuple[Any, Any]] = []

    def update(self) -> None:
        """Show a line for each value that is missing."""
        sequence = self.session.sequence
        asked = (*sequence.missing, *sequence.wanting) if sequence else ()
        keys = tuple(missing.key for missing in asked)
        self.box.visible = bool(asked)
        if keys == self._shown:
            return
        self._shown = keys
        for label, line in self._rows:
            for widget in (label, line):
                widget.hide()
                widget.deleteLater()
        self._rows = []
        for missing in asked:
            label, line = qt.QLabel(missing.question), qt.QLineEdit()
            label.wordWrap = True
            line.objectName = "missing_" + missing.key
            line.placeholderText = missing.example
            line.toolTip = missing.question
            line.editingFinished.connect(self._taker(missing, label, line))
            # Below each other: side by side questions and answers would need more than 400 pixels.
            self.box.layout().addRow(label)
            self.box.layout().addRow(line)
            self._rows.append((label, line))

    def _taker(self, missing: Missing, label: Any, line: Any) -> Any:
        def take() -> None:
            typed = line.text.strip()
            if not typed or self.session.sequence is None:
                return
            try:
                self.session.sequence.set_value(missing.key, typed)
            except InputError as error:
                label.text = f"{missing.question}\n⚠ {error}"
                line.text = ""
                return
            label.text = missing.question
            # The form is rebuilt: not from inside the line's own signal.
            qt.QTimer.singleShot(0, self.session.series_changed.emit)

        return take
