"""Which map is shown over the anatomy, and how."""

from __future__ import annotations

from typing import Any

import numpy as np

from DynamicPETKineticsLib.panel.beside_box import BesideBox
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import allow, choice, say, set_choices, silently
from DynamicPETKineticsLib.translation import _


class MapBox:
    """Map, colours, window, opacity, threshold, legend, and where not to trust it."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self.session = ui, session
        looks = (ui.lowSpin, ui.highSpin, ui.thresholdSpin, ui.opacitySlider, ui.legendCheckBox, ui.colourCombo)
        self._looks = [(widget, str(widget.toolTip)) for widget in looks]
        self.beside = BesideBox(ui, session, self.show)
        ui.mapCombo.currentIndexChanged.connect(self._on_map)
        ui.colourCombo.currentIndexChanged.connect(self._on_colour)
        ui.lowSpin.valueChanged.connect(self._on_look)
        ui.highSpin.valueChanged.connect(self._on_look)
        ui.thresholdSpin.valueChanged.connect(self._on_look)
        ui.autoRangeButton.clicked.connect(self._on_auto)
        ui.opacitySlider.valueChanged.connect(self._on_look)
        ui.legendCheckBox.toggled.connect(self._on_look)
        ui.distrustCheckBox.toggled.connect(self._on_distrust)

    @property
    def node(self) -> Any:
        """The shown map's volume node; None where there is none."""
        result = self.session.result
        name = choice(self.ui.mapCombo)
        return result.maps.get(name) if result is not None and name else None

    def update(self) -> None:
        """Fill the boxes from the result and the look of its map."""
        from DynamicPETKineticsLib.results.colours import COLOURS, colour_of
        from DynamicPETKineticsLib.results.legend import title_with_unit

        ui, result, state = self.ui, self.session.result, self.session.state
        maps = dict(result.maps) if result is not None else {}
        offered = [(title_with_unit(node), name) for name, node in maps.items()]
        set_choices(ui.mapCombo, offered, state.map if state else None)
        node = self.node
        set_choices(ui.colourCombo, [(title, title) for title in COLOURS], colour_of(node) if node else None)
        reason = "" if node is not None else _("There is no result yet: run an estimate in step 3.")
        for widget, tip in self._looks:
            allow(widget, reason, tip)
        allow(ui.autoRangeButton, reason, _("Fit the colours to the map (its percentiles)."))
        self.beside.update()
        self._show_distrust()
        say(ui.mapNoteLabel, reason or self._note())
        if node is not None:
            self._show_range(node)

    def _note(self) -> str:
        """What a reader of the map must know."""
        from DynamicPETKineticsLib.runs.methods import METHODS

        result = self.session.the_result
        parts = []
        if result.ki_label != "Ki":
            parts.append(_("The input function is whole blood: {label}.").format(label=result.ki_label))
        if any(method.name == result.method and method.learned for method in METHODS):
            parts.append(_("This method was trained on simulated patients."))
        if result.distrust is not None:
            parts.append(_("There are places where it is not to be trusted."))
        missing = result.missing_maps
        if missing:
            parts.append(_("Deleted from the scene: {maps}.").format(maps=", ".join(missing)))
        return " ".join(parts)

    def _show_distrust(self) -> None:
        """Offer the outline where there is one; those of other results are hidden, as they say nothing of this one."""
        from DynamicPETKineticsLib.results.distrust import distrust_is_shown, hide_others

        result, box = self.session.result, self.ui.distrustCheckBox
        own = result.distrust if result is not None else None
        if result is not None:
            hide_others(own)
        box.visible = own is not None
        with silently(box):
            box.checked = own is not None and distrust_is_shown(own)

    def _show_range(self, node: Any) -> None:
        from DynamicPETKineticsLib.results.map_display import threshold_of, window_of

        ui = self.ui
        low, high = window_of(node)
        threshold = threshold_of(node)
        span = max(high - low, 1e-9)
        decimals = int(np.clip(2 - np.ceil(np.log10(span)), 0, 6))
        with silently(ui.lowSpin, ui.highSpin, ui.thresholdSpin):
            for spin in (ui.lowSpin, ui.highSpin, ui.thresholdSpin):
                spin.decimals = decimals
                spin.setRange(low - 100 * span, high + 100 * span)
                spin.singleStep = span / 50
            # The lowest value of the threshold's box reads "nothing".
            ui.thresholdSpin.minimum = min(0.0, low)
            ui.lowSpin.value, ui.highSpin.value = low, high
            ui.thresholdSpin.value = ui.thresholdSpin.minimum if threshold is None else threshold

    def show(self) -> None:
        """Lay the chosen map over the anatomy."""
        from DynamicPETKineticsLib.results.map_display import show_map

        node, state = self.node, self.session.state
        if node is None or state is None:
            return
        ui = self.ui
        threshold = ui.thresholdSpin.value if ui.thresholdSpin.value > ui.thresholdSpin.minimum else None
        show_map(
            node,
            opacity=ui.opacitySlider.value / 100.0,
            colour=choice(ui.colourCombo),
            window=(ui.lowSpin.value, ui.highSpin.value),
            threshold=threshold,
            legend=ui.legendCheckBox.checked,
            background=self._background(),
            beside=self.beside.node,
        )

    def _background(self) -> Any:
        """What the map is laid over: of its own patient, also while the series of another one is chosen."""
        from DynamicPETKineticsLib.scene.anatomy import in_same_patient_space
        from DynamicPETKineticsLib.scene.series_display import image_of

        chosen, own = self.session.sequence, self.session.the_result.sequence
        if chosen is None or own is None or own == chosen or in_same_patient_space(own, chosen):
            return self.session.state.anatomy
        return image_of(own)

    def _on_map(self, _index: Any = None) -> None:
        if self.session.state is not None and choice(self.ui.mapCombo):
            self.session.state.map = choice(self.ui.mapCombo)
        self.update()
        self.show()
        self.session.map_changed.emit()

    def _on_colour(self, _index: Any = None) -> None:
        self.show()

    def _on_look(self, _value: Any = None) -> None:
        if self.ui.highSpin.value > self.ui.lowSpin.value:
            self.show()

    def _on_distrust(self, checked: bool = False) -> None:
        from DynamicPETKineticsLib.results.distrust import show_distrust

        if self.session.result is not None and self.session.result.distrust is not None:
            show_distrust(self.session.result.distrust, checked)

    def _on_auto(self, _checked: bool = False) -> None:
        from DynamicPETKineticsLib.results.window import window_from_percentiles

        low, high = window_from_percentiles(self.node)
        with silently(self.ui.lowSpin, self.ui.highSpin):
            self.ui.lowSpin.value, self.ui.highSpin.value = low, high
        self.show()
        self._show_range(self.node)
