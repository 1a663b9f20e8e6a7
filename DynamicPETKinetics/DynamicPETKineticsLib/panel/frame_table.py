"""The table of frame times, which can be corrected by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import fill_table
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming


class FrameTable:
    """Start and duration of every frame, in seconds from injection; what is typed is used.

    An impossible time is not taken: the note under the table says why, and the table shows what counts.
    """

    def __init__(self, table: Any, note: Any, session: Session) -> None:
        self.table, self.note, self.session = table, note, session
        table.cellChanged.connect(self._on_cell_changed)

    def update(self) -> None:
        """Show the times of the chosen series."""
        sequence = self.session.sequence
        timing = sequence.timing if sequence else None
        header = [_("Frame"), _("Start (s)"), _("Duration (s)")]
        rows = []
        if timing is not None:
            pairs = zip(timing.start_s, timing.duration_s, strict=True)
            rows = [[str(i + 1), f"{start:g}", f"{duration:g}"] for i, (start, duration) in enumerate(pairs)]
        fill_table(self.table, header, rows, editable=True)
        self.note.text = _("Seconds from injection. Times you change are used and recorded.")

    def _on_cell_changed(self, row: int = 0, column: int = 0) -> None:
        sequence = self.session.sequence
        if sequence is None or sequence.timing is None or column == 0:
            return
        times = [np.array(sequence.timing.start_s), np.array(sequence.timing.duration_s)]
        typed = self.table.item(row, column).text()
        try:
            times[column - 1][row] = float(typed.replace(",", "."))
            sequence.set_timing(FrameTiming(*times))
        except ValueError as error:
            reason = (
                str(error) if isinstance(error, InputError) else _("'{typed}' is not a number.").format(typed=typed)
            )
            self.update()
            self.note.text = _("⚠ Not taken: {reason}").format(reason=reason)
            return
        self.session.series_changed.emit()
