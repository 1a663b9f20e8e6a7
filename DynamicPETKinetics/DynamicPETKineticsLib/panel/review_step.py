"""Step 4 of the panel: the maps, the regions, agreement of two maps, and what leaves Slicer."""

from __future__ import annotations

from typing import Any

from DynamicPETKineticsLib.panel.agreement_box import AgreementBox
from DynamicPETKineticsLib.panel.drawing import drawn_next_turn
from DynamicPETKineticsLib.panel.export_box import ExportBox
from DynamicPETKineticsLib.panel.map_box import MapBox
from DynamicPETKineticsLib.panel.region_box import RegionBox
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import choice, set_choices


class ReviewStep:
    """Chooses the result; its four boxes show it, measure it, compare it and export it."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self.session = ui, session
        self._shown: list[Any] = []
        self.map = MapBox(ui, session)
        self.regions = RegionBox(ui, session, self.map)
        self.agreement = AgreementBox(ui, session)
        self.export = ExportBox(ui, session, self.regions, self.agreement)
        ui.resultCombo.currentIndexChanged.connect(self._on_result)
        session.results_changed.connect(self.on_results)
        session.series_changed.connect(self.update)

    def on_results(self) -> None:
        """A result came or went: show the newest, and then measure in it."""
        with drawn_next_turn():
            self._choose()
            self.map.update()
            self.map.beside.arrive()
            self.map.show()
            self.update()

    def update(self) -> None:
        """Bring every widget of the step up to date."""
        results = self._choose()
        self.map.update()
        self.regions.update()
        self.agreement.update(results)
        self.export.update()

    def _choose(self) -> list[Any]:
        """Offer the results of the scene and keep to the chosen one, else take the newest."""
        from DynamicPETKineticsLib.results.result_nodes import all_results

        # While the scene closes its nodes are still there.
        results = all_results() if self.session.state is not None else []
        self._shown = _contents(results)
        newest = results[-1].id if results else None
        wanted = self.session.result.id if self.session.result is not None else newest
        set_choices(self.ui.resultCombo, [(result.name, result.id) for result in results], wanted)
        chosen = choice(self.ui.resultCombo)
        self.session.result = next((result for result in results if result.id == chosen), None)
        return results

    def after_removal(self) -> None:
        """Nodes were deleted: were results or maps among them?"""
        from DynamicPETKineticsLib.results.result_nodes import all_results

        if _contents(all_results()) != self._shown:
            self.on_results()

    def _on_result(self, _index: Any = None) -> None:
        from DynamicPETKineticsLib.results.result_nodes import all_results

        chosen = choice(self.ui.resultCombo)
        self.session.result = next((result for result in all_results() if result.id == chosen), None)
        self.update()
        self.map.show()

    def close(self) -> None:
        """The scene closes: stop what runs, let go of what was observed."""
        self.map.beside.close()
        self.regions.close()
        self.agreement.close()
        self.export.close()


def _contents(results: list[Any]) -> list[Any]:
    """What there is to show: results and their maps."""
    return [(result.id, list(result.maps)) for result in results]
