"""Training on own dynamic series, the paper's way: the full scan is the target of its first part.

A table names the series, one a row: columns ``series`` and either ``roi`` (aorta region) or
``input_function`` (table of a blood curve); ``plasma_ratio`` may be given. Paths are relative to the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch.utils.data import IterableDataset

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.body import body_mask
from petkinetics.estimators.estimator import Problem
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.input_function.from_file import input_function_from_file
from petkinetics.input_function.idif import image_derived_input
from petkinetics.input_function.plasma import with_plasma
from petkinetics.kinetics.patlak import patlak_design, plot_weights, weighted_fit
from petkinetics.networks.features import KI_UNIT, LINEAR, T_STAR_MIN
from petkinetics.networks.model_rows import model_rows
from petkinetics.read.curve_statements import CurveContext
from petkinetics.read.regions import one_region
from petkinetics.read.series import read_series
from petkinetics.read.text_files import read_rows
from petkinetics.series import DynamicSeries
from petkinetics.training.examples import Example, example_of
from petkinetics.training.paper_scans import PaperScan
from petkinetics.training.processes import worker_rng
from petkinetics.training.scans import Scan

_FEWEST_LATE_MIN = 10.0


@dataclass(frozen=True, eq=False)
class OwnSeries:
    """One row of the table, opened.

    :param curve: the input function of the whole scan; *short*: as known at T.
    :param body: voxels of the patient, bool.
    """

    name: str
    series: DynamicSeries
    curve: InputFunction
    short: InputFunction
    body: np.ndarray
    until_min: float


def read_training_table(path: Path, until_min: float) -> list[OwnSeries]:
    """Open the series of a table.

    :param until_min: the end of the short scan that the network will see.
    :raises InputError: a column or file is missing, or a series ends too soon to be a target.
    """
    rows = read_rows(path)
    if not rows or "series" not in rows[0] or not {"roi", "input_function"} & set(rows[0]):
        raise InputError(
            f"The table '{path.name}' needs the columns 'series' and 'roi' or 'input_function', and at least one row."
        )
    return [_open(path.parent, row, number, until_min) for number, row in enumerate(rows, start=2)]


def _open(folder: Path, row: dict[str, str], number: int, until_min: float) -> OwnSeries:
    series = read_series(folder / row["series"])
    end_min = float(series.timing.end_s[-1]) / 60.0
    if end_min < until_min + _FEWEST_LATE_MIN:
        raise InputError(
            f"Row {number}: '{Path(row['series']).name}' ends {end_min:.0f} min after injection; training needs a full "
            f"scan, at least {until_min + _FEWEST_LATE_MIN:g} min."
        )
    curves = [_input(folder, row, series, number, end) for end in (None, until_min)]
    body = body_mask(series, series.timing.window(T_STAR_MIN, until_min).tolist())
    return OwnSeries(Path(row["series"]).name, series, curves[0], curves[1], body, until_min)


def _input(
    folder: Path, row: dict[str, str], series: DynamicSeries, number: int, until_min: float | None
) -> InputFunction:
    frames = series.timing.until(until_min)
    if row.get("roi"):
        curve = image_derived_input(
            series, one_region(str(folder / row["roi"]), series.geometry), frames.tolist()
        ).function
    elif row.get("input_function"):
        context = CurveContext(series.tracer.decay_per_s, series.origin.time_zero_s)
        last_s = float(series.timing.end_s[frames[-1]])
        curve = input_function_from_file(folder / row["input_function"], context, {}, until_s=last_s)
    else:
        raise InputError(f"Row {number} of the table names neither an aorta region nor a blood curve.")
    if row.get("plasma_ratio"):
        curve = with_plasma(curve, _ratio(row["plasma_ratio"], number), "of the table")
    return curve


def _ratio(text: str, number: int) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"Row {number} of the table has '{text}' for plasma_ratio, not a number.") from error


class OwnStream(IterableDataset):
    """Batches of examples for our network: features of the short scan, Ki and V0 of the full one."""

    def __init__(self, own: list[OwnSeries], slices: int, crop: int, seed: int) -> None:
        super().__init__()
        self._own, self._slices, self._crop, self._seed = own, slices, crop, seed

    def __iter__(self) -> Iterator[list[Example]]:
        rng = worker_rng(self._seed)
        prepared = [_Prepared(own) for own in self._own]
        while True:
            yield [prepared[int(rng.integers(len(prepared)))].example(rng, self._slices, self._crop)]


class OwnPaperStream(IterableDataset):
    """Slices for the paper's network."""

    def __init__(self, own: list[OwnSeries], seed: int) -> None:
        super().__init__()
        self._own, self._seed = own, seed

    def __iter__(self) -> Iterator[PaperScan]:
        rng = worker_rng(self._seed)
        while True:
            yield own_paper_scan(self._own[int(rng.integers(len(self._own)))], rng)


def own_paper_scan(own: OwnSeries, rng: np.random.Generator) -> PaperScan:
    """A random slice of an own series that shows the body, all its frames.

    :raises InputError: weight or injected activity is not known.
    """
    series = own.series
    if series.weight_kg is None or series.injected_activity_mbq is None:
        raise InputError(f"'{own.name}' does not give weight and injected activity, which SUV needs.")
    k = int(rng.choice(np.flatnonzero(own.body.any(axis=(1, 2)))))
    inside = own.body[k]
    box = tuple(
        slice(int(some[0]), int(some[0]) + (int(some[-1]) + 1 - int(some[0])) // 16 * 16 or None)
        for some in (np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0)))
    )
    frames = series.read(list(range(len(series.timing))), k, k + 1)[:, 0, box[0], box[1]]
    frames = np.ascontiguousarray(frames)
    linear = series.timing.window(T_STAR_MIN)
    truth = _full_patlak(own)[:, linear] @ frames[linear].reshape(len(linear), -1)
    return PaperScan(
        frames=frames,
        noise_free=frames,
        curve=own.curve,
        suv_factor=series.weight_kg / series.injected_activity_mbq,
        truth=truth.reshape(2, *frames.shape[1:]).astype(np.float32),
        labels=inside[box].astype(np.uint8),
        timing=series.timing,
    )


def _full_patlak(own: OwnSeries) -> np.ndarray:
    """Rows over all frames that give Ki and V0 from 9 min to the end: (2, frames)."""
    series = own.series
    linear = series.timing.window(T_STAR_MIN)
    timing = series.timing.select(linear)
    plot = patlak_design(own.curve, timing, series.frame_decay_per_s)
    weights = plot_weights(timing, plot, series.tracer.decay_per_s)
    rows = np.zeros((2, len(series.timing)))
    rows[:, linear] = weighted_fit(plot, weights).solution
    return rows


class _Prepared:
    """A series with its features' design."""

    def __init__(self, own: OwnSeries) -> None:
        used = own.series.timing.until(own.until_min)
        self._own = own
        self._volume = FeatureVolume.of(Problem(own.series, own.short, used, own.body))
        decay = own.series.frame_decay_per_s
        volume = self._volume
        self._model = model_rows(volume.curve, volume.timing, volume.design.rows, decay, own.series.tracer.decay_per_s)
        self._full = _full_patlak(own)
        self._full[0] /= KI_UNIT

    def example(self, rng: np.random.Generator, slices: int, crop: int) -> Example:
        """Random slices of a random crop."""
        series, box = self._own.series, self._volume.box
        depth = slices + 4
        first = int(rng.integers(box[0].start - 2, max(box[0].stop - depth + 2, box[0].start - 1)))
        frames = self._volume.frames_of(first, first + depth)
        features = self._volume.features_of(frames)
        inner = slice(2, 2 + slices)
        low, high = max(first + 2, 0), min(first + 2 + slices, series.geometry.shape[0])
        whole = series.read(list(range(len(series.timing))), low, high)[:, :, box[1], box[2]]
        target = np.tensordot(self._full.astype(np.float32), whole, 1).swapaxes(0, 1)
        target = np.concatenate([features[inner][: high - low, :LINEAR], target], axis=1)
        body = self._own.body[low:high, box[1], box[2]]
        rows, columns = (_part(rng, n, crop) for n in features.shape[-2:])
        padded = np.zeros((len(features), *target.shape[1:]), np.float32)
        padded[2 : 2 + high - low] = target
        labels = np.zeros((len(features), *body.shape[1:]), np.uint8)
        labels[2 : 2 + high - low] = body
        chosen = (rows.stop - rows.start, columns.stop - columns.start)
        scan = Scan(
            features=np.ascontiguousarray(features[..., rows, columns]),
            condition=self._volume.condition,
            truth=np.ascontiguousarray(padded[..., rows, columns]),
            table=self._model.table,
            blood=self._model.blood,
            # nobody knows the response of a patient
            impulse=np.zeros((len(features), 0, *chosen), np.float32),
            labels=np.ascontiguousarray(labels[..., rows, columns]),
        )
        return example_of(scan, list(range(2, 2 + high - low)))


def _part(rng: np.random.Generator, size: int, crop: int) -> slice:
    start = int(rng.integers(0, max(size - crop, 0) + 1))
    return slice(start, min(start + crop, size))
