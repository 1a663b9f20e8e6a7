"""What the four steps of the panel share: the series, the blood curve, the results, the services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from DynamicPETKineticsLib.panel.measuring import Turns
from DynamicPETKineticsLib.process.signal import Signal

if TYPE_CHECKING:
    from DynamicPETKineticsLib.regions.blood_curve import BloodMeasurement
    from DynamicPETKineticsLib.results.result_nodes import ResultNodes
    from DynamicPETKineticsLib.runs.services import Services
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
    from petkinetics.frames import FrameTiming


class Session:
    """The state that lives as long as the panel; what must survive a saved scene is in the parameter node.

    Signals: ``series_changed()`` when another series was chosen or its times or values were edited,
    ``blood_changed()`` when the blood curve was measured anew, ``results_changed()`` when a result came or
    went, ``map_changed()`` when another map of it is shown, ``regions_changed()`` after a stroke in the regions,
    ``measured()`` when the region table is there.

    :param services: what runs need: ticks, processes, temporary folders.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.turns = Turns(services.ticker)
        #: the parameter node's wrapper; None while the scene is closing
        self.state: Any = None
        self.sequence: DynamicSequence | None = None
        self.blood: BloodMeasurement | None = None
        self.result: ResultNodes | None = None
        self.series_changed = Signal()
        self.blood_changed = Signal()
        self.results_changed = Signal()
        self.map_changed = Signal()
        self.regions_changed = Signal()
        self.measured = Signal()

    @property
    def the_sequence(self) -> DynamicSequence:
        """The chosen series, for what can only be clicked when there is one.

        :raises RuntimeError: there is none.
        """
        if self.sequence is None:
            raise RuntimeError("no series is chosen")
        return self.sequence

    @property
    def the_timing(self) -> FrameTiming:
        """Its frame times, likewise.

        :raises RuntimeError: there is no series, or its times are not known.
        """
        timing = self.the_sequence.timing
        if timing is None:
            raise RuntimeError("the frame times are not known")
        return timing

    @property
    def the_result(self) -> ResultNodes:
        """The chosen result, likewise.

        :raises RuntimeError: there is none.
        """
        if self.result is None:
            raise RuntimeError("no result is chosen")
        return self.result

    @property
    def series_of_result(self) -> DynamicSequence | None:
        """The series that the chosen result is about, which need not be the one chosen in step 1; None without."""
        return self.result.sequence_or(self.sequence) if self.result is not None else None

    def choose_sequence(self, node: Any) -> None:
        """Take another sequence node (or None) for the series."""
        from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence, is_dynamic_sequence

        self.sequence = DynamicSequence(node) if node is not None and is_dynamic_sequence(node) else None
        self.set_blood(None)
        self.series_changed.emit()

    def set_blood(self, measurement: BloodMeasurement | None) -> None:
        """Take another blood curve."""
        self.blood = measurement
        self.blood_changed.emit()

    def forget(self) -> None:
        """The scene was closed: nothing of it may be kept."""
        self.state = None
        self.sequence = None
        self.result = None
        self.set_blood(None)
        self.series_changed.emit()
        self.results_changed.emit()
