"""Bland-Altman agreement of two maps in a region: the statistics in a table, the plot on request."""

from __future__ import annotations

from typing import Any

from DynamicPETKineticsLib.panel.measuring import Measuring
from DynamicPETKineticsLib.panel.region_box import number
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import allow, choice, fill_table, say, set_choices
from DynamicPETKineticsLib.process.faults import in_words
from DynamicPETKineticsLib.results.result_nodes import MAP
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import PetKineticsError
from petkinetics.maps import QUANTITIES


class AgreementBox:
    """Compares two maps of one quantity, from the results of this scene."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self.session = ui, session
        self.comparison: Any = None
        self._nodes: dict[str, Any] = {}
        self._measuring = Measuring(session.turns)
        self._plot_follows = False
        for combo in (ui.mapACombo, ui.mapBCombo, ui.agreementRegionCombo):
            combo.currentIndexChanged.connect(self._on_choice)
        ui.agreementBox.toggled.connect(self._on_choice)
        ui.agreementPlotButton.clicked.connect(self._on_plot)
        session.regions_changed.connect(self._on_regions)

    def update(self, results: list[Any]) -> None:
        """Offer the maps of the results, and compare the chosen two."""
        entries = []
        self._nodes = {}
        for result in results:
            for name, node in result.maps.items():
                symbol = QUANTITIES[name].symbol if name in QUANTITIES else name
                entries.append((f"{symbol} · {result.name}", node.GetID()))
                self._nodes[node.GetID()] = node
        first, second = choice(self.ui.mapACombo), choice(self.ui.mapBCombo)
        if first not in self._nodes and self.session.result is not None:
            shown = self.session.result.maps.get(choice(self.ui.mapCombo))
            first = shown.GetID() if shown is not None else None
        set_choices(self.ui.mapACombo, entries, first)
        first = choice(self.ui.mapACombo)
        if second not in self._nodes or second == first:
            second = self._same_quantity(first)
        set_choices(self.ui.mapBCombo, entries, second)
        self._on_regions()

    def _same_quantity(self, node_id: Any) -> Any:
        """Another map of the same quantity, the natural partner."""
        if node_id is None:
            return None
        quantity = self._nodes[node_id].GetAttribute(MAP)
        others = [i for i, n in self._nodes.items() if i != node_id and n.GetAttribute(MAP) == quantity]
        return others[0] if others else None

    def _on_regions(self) -> None:
        state = self.session.state
        segmentation = state.regions if state else None
        entries = []
        if segmentation is not None:
            inside = segmentation.GetSegmentation()
            ids = inside.GetSegmentIDs()
            entries = [(inside.GetSegment(i).GetName(), i) for i in ids]
        set_choices(self.ui.agreementRegionCombo, entries, choice(self.ui.agreementRegionCombo))
        self._compare()

    def _on_choice(self, _value: Any = None) -> None:
        self._compare()

    def _compare(self) -> None:
        """Statistics of the chosen maps and region, while the box is open."""
        ui, self.comparison = self.ui, None
        self._measuring.cancel()
        node_a, node_b = self._nodes.get(choice(ui.mapACombo)), self._nodes.get(choice(ui.mapBCombo))
        region, reason = choice(ui.agreementRegionCombo), ""
        if len(self._nodes) < 2 or node_a is node_b:
            reason = _("Two different maps are needed: run a second method, or choose another map.")
        elif region is None:
            reason = _("A region is needed: add a sphere or draw one.")
        elif not ui.agreementBox.collapsed:
            from DynamicPETKineticsLib.regions.agreement import comparison_of

            try:
                work = comparison_of(node_a, node_b, self.session.state.regions, [region])
                self._measuring.run(work, self._on_compared, self._on_not_compared)
            except PetKineticsError as error:
                reason = str(error)
        self._show(reason)

    def _on_compared(self, comparison: Any) -> None:
        self.comparison = comparison
        self._show("")
        say(self.ui.agreementNoteLabel, " ".join(comparison.warnings))
        if self._plot_follows:
            self._plot()

    def _on_not_compared(self, error: Exception) -> None:
        self._plot_follows = False
        self._show(in_words(error)[0])

    def _show(self, reason: str) -> None:
        """:param reason: why there is nothing to compare; "" where there is."""
        ui = self.ui
        allow(ui.agreementPlotButton, reason, _("Show the Bland–Altman plot: difference over mean of the two maps."))
        say(ui.agreementNoteLabel, reason)
        if not self._measuring.running:
            self._fill()

    def _fill(self) -> None:
        rows = []
        if self.comparison is not None and self.comparison.agreements:
            row = self.comparison.agreements[0].row()
            unit = self.comparison.unit
            rows = [
                [_("Voxels"), f"{row['n']}"],
                [_("Independent voxels (about)"), f"{row['n_effective']:.0f}"],
                [_("Bias ({unit})").format(unit=unit), number(row["bias"])],
                [_("95 % interval of the bias"), f"{number(row['bias_ci_lower'])} … {number(row['bias_ci_upper'])}"],
                [_("SD of the differences"), number(row["sd"])],
                [_("95 % limits of agreement"), f"{number(row['loa_lower'])} … {number(row['loa_upper'])}"],
                [_("Proportional bias: slope (p)"), f"{number(row['slope'])} ({row['slope_p']:.2g})"],
            ]
        self.ui.agreementTable.visible = bool(rows)
        fill_table(self.ui.agreementTable, [_("Bland–Altman"), _("Value")], rows)

    def _on_plot(self, _checked: bool = False) -> None:
        if self.comparison is not None:
            self._plot()
        else:
            self._plot_follows = True
            self._compare()

    def _plot(self) -> None:
        from DynamicPETKineticsLib.regions.agreement import agreement_plot
        from DynamicPETKineticsLib.regions.plot_nodes import show_plot

        self._plot_follows = False
        show_plot(agreement_plot(self.comparison))
        self.session.map_changed.emit()

    def close(self) -> None:
        """The scene closes: let go of its nodes."""
        self._measuring.cancel()
        self._plot_follows = False
        self.comparison = None
        self._nodes = {}
