"""Maps that go beside a method's own: MRglc from Ki, and an SUV image of the late frames.

MRglc is a multiple of Ki and is written on Ki's way to its file, so that no voxel is read twice; the SUV image
reads the frames of its window once more.

docs/methods.md, "Derived maps: SUV and MRglc".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Estimate, MapSink
from petkinetics.estimators.window_image import IMAGE_KINDS, WindowImage, window_image
from petkinetics.kinetics.glucose import GlucoseUptake
from petkinetics.maps import KI, KI_SD, MRGLC, MRGLC_SD, Quantity
from petkinetics.series import DynamicSeries, Float32

#: of every method: ``suv`` (bw where dose and weight are known; lbm, bsa, activity, none), ``suv_window``
#: (FROM-TO, min), ``height_m`` and ``sex``; ``glucose`` and ``lumped_constant``
OPTION_NAMES = ("suv", "suv_window", "height_m", "sex", "glucose", "lumped_constant")


@dataclass(frozen=True)
class DerivedMaps:
    """What goes beside a method's maps.

    :param glucose: makes MRglc of Ki; None for no such maps.
    :param scaled: maps that are multiples of a method's: its name -> (quantity, factor).
    :param image: of the window; None for none.
    :param warnings: sentences for the user.
    """

    glucose: GlucoseUptake | None = None
    scaled: Mapping[str, tuple[Quantity, float]] = field(default_factory=dict)
    image: WindowImage | None = None
    warnings: tuple[str, ...] = ()

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Every map it adds."""
        images = () if self.image is None else (self.image.quantity,)
        return (*(quantity for quantity, _ in self.scaled.values()), *images)

    @property
    def record(self) -> dict[str, Any]:
        """How each map was made, by its name, for ``result.json``."""
        made: dict[str, Any] = {}
        if self.glucose is not None:
            how = {
                "glucose_mmol_per_l": self.glucose.glucose_mmol_per_l,
                "lumped_constant": self.glucose.lumped_constant,
            }
            made |= {quantity.name: dict(how) for quantity, _ in self.scaled.values()}
        if self.image is not None:
            made[self.image.quantity.name] = self.image.record
        return made

    def beside(self, sink: MapSink) -> MapSink:
        """A sink that passes a method's maps on and writes the multiples of them."""
        return _Multiples(sink, self.scaled) if self.scaled else sink

    def in_regions(self, found: Estimate) -> Estimate:
        """The estimate with the multiples of its regions' values and standard errors."""
        if not self.scaled:
            return found

        def region_fit(
            values: NDArray[np.float64],
        ) -> tuple[dict[str, tuple[float, float]], NDArray[np.float64]]:
            fitted, frames = found.region_fit(values)
            more = {
                quantity.name: (factor * fitted[name][0], factor * fitted[name][1])
                for name, (quantity, factor) in self.scaled.items()
                if name in fitted
            }
            return {**fitted, **more}, frames

        return replace(found, region_fit=region_fit)


@dataclass(frozen=True)
class _Multiples:
    """Writes each slab, and its multiple where there is one."""

    sink: MapSink
    scaled: Mapping[str, tuple[Quantity, float]]

    def write(self, name: str, slab: Float32) -> None:
        """See :class:`petkinetics.estimators.estimator.MapSink`."""
        self.sink.write(name, slab)
        if name in self.scaled:
            quantity, factor = self.scaled[name]
            self.sink.write(quantity.name, slab * np.float32(factor))


def plan_derived(
    series: DynamicSeries, quantities: Sequence[Quantity], options: Mapping[str, str], until_min: float | None
) -> DerivedMaps:
    """What goes beside the maps of a method.

    :param quantities: the method's maps.
    :param options: those named in :data:`OPTION_NAMES` count.
    :param until_min: nothing after this is used, minutes from injection.
    :raises InputError: what was asked for cannot be made of this series with this method.
    """
    warnings: list[str] = []
    glucose = GlucoseUptake.parse(options.get("glucose"), options.get("lumped_constant"))
    scaled: dict[str, tuple[Quantity, float]] = {}
    if glucose is not None:
        _require_fdg(series, warnings.append)
        own = {quantity.name for quantity in quantities}
        if KI.name not in own:
            raise InputError(
                "MRglc is a multiple of Ki, which this method does not estimate.", "Choose another method."
            )
        pairs = ((KI, MRGLC), (KI_SD, MRGLC_SD))
        scaled = {ki.name: (rate, glucose.per_ki) for ki, rate in pairs if ki.name in own}
    image = _image(series, options, until_min, warnings.append)
    if image is not None:
        warnings += image.warnings
    return DerivedMaps(glucose, scaled, image, tuple(warnings))


def _image(
    series: DynamicSeries, options: Mapping[str, str], until_min: float | None, warn: Callable[[str], None]
) -> WindowImage | None:
    """The image asked for; by default SUV by body weight where dose and weight are known."""
    kind, window = options.get("suv"), options.get("suv_window")
    if kind == "none":
        return None
    if kind is None:
        missing = [
            f"{what} ({option})"
            for what, option, value in (
                ("injected activity", "--dose", series.injected_activity_mbq),
                ("patient's weight", "--weight", series.weight_kg),
            )
            if value is None
        ]
        if missing and window is None:
            warn(f"There is no SUV map: the series does not give the {' and the '.join(missing)}.")
            return None
        kind = "bw"
    if kind not in IMAGE_KINDS:
        raise InputError(f"'{kind}' is not a value of the option 'suv'; it is one of {', '.join(IMAGE_KINDS)}, none.")
    return window_image(series, kind, window, until_min, options)


def _require_fdg(series: DynamicSeries, warn: Callable[[str], None]) -> None:
    if series.tracer.is_fdg is False:
        raise InputError(
            f"MRglc follows from Ki of FDG only, and the tracer is {series.tracer.name}.",
            "Leave out glucose and lumped_constant.",
        )
    if series.tracer.is_fdg is None:
        warn("The series does not name its tracer; MRglc is right only if it is FDG.")
