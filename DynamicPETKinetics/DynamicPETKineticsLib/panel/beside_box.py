"""Whether SUV is shown beside the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DynamicPETKineticsLib.panel.drawing import drawn_next_turn
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import allow, silently
from DynamicPETKineticsLib.translation import _


class BesideBox:
    """Two rows of views, the map above and SUV below, when a result comes; given back when nobody wants them.

    :param show: lays the map anew.
    """

    def __init__(self, ui: Any, session: Session, show: Callable[[], None]) -> None:
        self.ui, self.session, self._show = ui, session, show
        self._tip = str(ui.besideCheckBox.toolTip)
        ui.besideCheckBox.toggled.connect(self._on_toggled)

    @property
    def node(self) -> Any:
        """The SUV map for the lower row; None where it is not shown."""
        from DynamicPETKineticsLib.results.beside import rows_are_shown, suv_of

        result = self.session.result
        return suv_of(result) if result is not None and rows_are_shown() else None

    def update(self) -> None:
        """Bring the box up to date with the result, and with the views as the user has arranged them."""
        from DynamicPETKineticsLib.regions.plot_nodes import plot_is_shown
        from DynamicPETKineticsLib.results.beside import suv_of, user_left_rows

        reason, result = "", self.session.result
        if result is None:
            reason = _("There is no result yet: run an estimate in step 3.")
        elif suv_of(result) is None:
            reason = _("This result has no SUV: the injected activity or the patient's weight was not known.")
        elif plot_is_shown():
            reason = _("Go back to the images first.")
        allow(self.ui.besideCheckBox, reason, self._tip)
        if self.session.state is not None and user_left_rows():
            self._off()

    def arrive(self) -> None:
        """A result came: show SUV beside it, unless nobody wants that or has arranged the views on purpose."""
        from DynamicPETKineticsLib.results.beside import rows_are_shown, show_rows, suv_of, views_are_as_at_first

        state, result = self.session.state, self.session.result
        if state is None or not state.beside or result is None or suv_of(result) is None or rows_are_shown():
            return
        if views_are_as_at_first():
            self._arrange(show_rows)
        elif self.ui.besideCheckBox.enabled:
            self._off()

    def close(self) -> None:
        """The scene closes: the views as before, for the next one."""
        from DynamicPETKineticsLib.results.beside import put_rows_away

        put_rows_away()

    def _off(self) -> None:
        """The rows do not stand: the box says so."""
        from DynamicPETKineticsLib.results.beside import put_rows_away

        put_rows_away()
        with silently(self.ui.besideCheckBox):
            self.ui.besideCheckBox.checked = False
        self.session.state.beside = False

    def _on_toggled(self, checked: bool = False) -> None:
        from DynamicPETKineticsLib.results.beside import put_rows_away, rows_are_shown, show_rows

        if self.session.result is None or checked == rows_are_shown():
            return
        self._arrange(show_rows if checked else put_rows_away)
        self._show()

    def _arrange(self, change: Callable[[], None]) -> None:
        """Change the views, and settle them when they know their new sizes and the maps lie in them."""
        from DynamicPETKineticsLib.results.beside import settle_rows

        with drawn_next_turn(settle_rows):
            change()
