"""The papers' studies on simulated patients: their image metrics and figures.

Of a short scan, as in Liang et al. 2023, SUV and Ki are held against the full scan. Two references stand beside
each other: the noisy full scan, as the paper had it, and the noise-free truth, which real patients do not have. Of a
full scan, as in Huang et al. 2025, slope (Ki) and intercept (V0) are held against the truth, dose after dose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.evaluate.bland_altman import Agreement
from petkinetics.evaluate.figures import Drawing, draw, three_digits
from petkinetics.evaluate.image_quality import image_quality
from petkinetics.maps import ParametricMap, ParametricResult
from petkinetics.simulate.patient import DigitalPatient
from petkinetics.studies.contestants import Contestant
from petkinetics.studies.figure_doses import errors_by_dose, lesion_sizes, lesions_by_dose
from petkinetics.studies.figure_image_quality import distributions, radar
from petkinetics.studies.figure_tumour import tumour_agreement
from petkinetics.studies.figure_views import View, views
from petkinetics.studies.late_frame import predicted_frame
from petkinetics.studies.names import AORTA, NOISY_FULL_SCAN, USUAL, called
from petkinetics.studies.perceptual import METRICS, lines_of_missing, perceptual_quality
from petkinetics.studies.slice_quality import slice_quality
from petkinetics.studies.tumour_roi import TumourBox, box_agreement, tumour_box, why_no_box
from petkinetics.write.tables import write_table

Float32 = NDArray[np.float32]
Row = dict[str, object]
#: the classical method that stands for the regularised ones: the best at every dose and end of the tuning study
REGULARISED = "nlm"
_CASE = ("dose", "until_min")
TRUTH, NOISY = "truth (noise-free)", NOISY_FULL_SCAN
#: what the figures show of each metric besides those of :data:`METRICS`
_OWN = {"RMSE": "low", "PSNR": "high", "SSIM": "high"}
_UNITS = {"Ki": "mL/min/mL", "V0": "mL/mL", "SUV": "g/mL"}
#: of several doses the one that the figures of images show: most is at stake there, and something can be seen
_SHOWN_DOSE = 0.25


#: columns of the table of metrics that need more than their name
_HEADS = {"NMI": "NMI (slices with air)"}
#: below the table: two of the same name are not of the same voxels
_VOXELS = (
    "RMSE, PSNR and SSIM are of the voxels in the body. NMI and the metrics after it are of four whole slices a "
    "patient, the air around the body with them (as 0), as they are defined for images; NMI in the figure slice by "
    "slice is of the body's voxels, and differs for that."
)


@dataclass(frozen=True, eq=False)
class _Pictures:
    """What is kept of one patient for the figures."""

    images: dict[str, list[View]]
    like: ParametricMap
    body: NDArray[np.bool_]


@dataclass(eq=False)
class PaperStudy:
    """Collects, patient by patient, what the tables and figures need.

    Use: :meth:`add` after each patient's maps, :meth:`write` at the end.

    :param doses: of the study. Tables have all of them; figures of images are of the one nearest to a quarter, and
        of the first end of scan.
    """

    doses: Sequence[float] = (1.0,)

    quality: list[Row] = field(default_factory=list)
    slices: list[Row] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    _pictures: _Pictures | None = None
    _no_box: str = "no patient of this dose was judged"
    _box: tuple[TumourBox, dict[str, tuple[Float32, Float32]], dict[str, Agreement]] | None = None

    def add(
        self,
        patient: DigitalPatient,
        case: Row,
        found: Mapping[str, tuple[Contestant, ParametricResult]],
        curve: InputFunction,
        full_scan: ParametricResult | None,
    ) -> None:
        """Judge one patient's maps.

        :param case: seed, dose, end of scan.
        :param found: label -> method and its maps.
        :param curve: the input function that the methods had.
        :param full_scan: weighted Patlak of the noisy full scan; None where the scan judged is the full one.
        """
        shown = _shown(found)
        body = patient.body_mask
        ki_references = {TRUTH: patient.truth["ki_patlak_9_65"]}
        if full_scan is not None:
            ki_references[NOISY] = full_scan["ki"].values
        kis = {label: result["ki"].values for label, (_, result) in shown.items()}
        self._judge(case, "Ki", kis, ki_references, body)
        images = {"Ki": _views(kis, ki_references)}
        if full_scan is None:
            v0s = {label: result["v0"].values for label, (_, result) in shown.items() if "v0" in result.maps}
            v0_references = {TRUTH: patient.truth["v0_patlak_9_65"]}
            self._judge(case, "V0", v0s, v0_references, body)
            images["V0"] = _views(v0s, v0_references)
        else:
            suv = {label: _last_suv(patient, result, curve) for label, (_, result) in shown.items()}
            present = {label: values for label, values in suv.items() if values is not None}
            factor = np.float32(patient.series.suv_factor or 1.0)
            last = patient.series.voxels.read([len(patient.series.timing) - 1], 0, patient.labels.shape[0])[0]
            suv_references = {TRUTH: patient.noise_free[-1] * factor, NOISY: last * factor}
            self._judge(case, "SUV", present, suv_references, body)
            images["SUV"] = _views(present, suv_references)
        like = next(iter(shown.values()))[1]["ki"]
        if case["dose"] != self._dose:
            return
        if self._pictures is None:
            self._pictures = _Pictures(images, like, body)
        if self._box is None:
            self._keep_box(patient, {label: result["ki"] for label, (_, result) in shown.items()}, ki_references)

    def _judge(
        self,
        case: Row,
        image: str,
        values: Mapping[str, Float32],
        references: Mapping[str, Float32],
        body: NDArray[np.bool_],
    ) -> None:
        for reference, wanted in references.items():
            for label, own in values.items():
                head: Row = {**case, "method": label, "image": image, "reference": reference}
                quality = image_quality(own, wanted, body)
                metrics, missing = perceptual_quality(own, wanted, body)
                self.missing |= missing
                row: Row = {"RMSE": quality.rmse, "PSNR": quality.psnr_db, "SSIM": quality.ssim}
                row |= {metric.name: metrics.get(metric.name) for metric in METRICS}
                self.quality.append({**head, **row})
                self.slices += [{**head, **r} for r in slice_quality(own, wanted, body)]

    def _keep_box(
        self, patient: DigitalPatient, kis: Mapping[str, ParametricMap], references: Mapping[str, Float32]
    ) -> None:
        geometry = next(iter(kis.values())).geometry
        box = tumour_box(patient, geometry)
        if box is None:
            self._no_box = why_no_box(patient, geometry)
            return
        reference = references.get(NOISY, references[TRUTH])
        pairs = {k: (m.values.reshape(-1)[box.index], reference.reshape(-1)[box.index]) for k, m in kis.items()}
        agreements = {k: box_agreement(box, m, reference, patient.body_mask, k) for k, m in kis.items()}
        self._box = (box, pairs, agreements)

    @property
    def _dose(self) -> float:
        """The dose that figures of images show."""
        return min(self.doses, key=lambda dose: abs(np.log(dose / _SHOWN_DOSE)))

    def write(self, folder: Path, summary: Sequence[Row]) -> list[str]:
        """Write ``quality.tsv``, ``slices.tsv`` and the figures into a study's folder.

        :param summary: the study's, for figures over dose.
        :returns: lines for its text: what was not computed or drawn and why, and the figures with captions.
        """
        write_table(folder / "quality.tsv", self.quality)
        write_table(folder / "slices.tsv", self.slices)
        said: list[str] = []
        drawings = [*self._drawings(said.append), *self._drawings_of_doses(summary, said.append)]
        figures = draw(folder / "figures", drawings, said.append)
        lines = ["## Figures and metrics after the papers", "", *lines_of_missing(self.missing), *said]
        if len(self.doses) > 1:
            lines += ["", f"Figures of images and of slices: dose {self._dose:g}."]
        lines += ["", *self._table(), "", _VOXELS]
        for drawn in figures:
            lines += ["", f"![{drawn.title}](figures/{drawn.path.name})", "", drawn.caption]
        return lines

    def _drawings(self, say: Callable[[str], None]) -> list[Drawing]:
        drawings: list[Drawing] = []
        better = {**_OWN, **{metric.name: metric.better for metric in METRICS}}
        for image in _UNITS:
            rows = [row for row in self._of_figures(self.quality) if row["image"] == image]
            if not rows:
                continue
            reference = NOISY if any(row["reference"] == NOISY for row in rows) else TRUTH
            means = _means([row for row in rows if row["reference"] == reference], better)
            drawings.append(lambda f, i=image, r=reference, m=means: radar(f, i, r, m, better))  # type: ignore[misc]
            own = [
                row for row in self._of_figures(self.slices) if row["image"] == image and row["reference"] == reference
            ]
            drawings.append(lambda f, i=image, r=reference, o=own: distributions(f, i, r, o))  # type: ignore[misc]
        kept = self._pictures
        if kept is not None:
            for image, pictures in kept.images.items():
                unit = _UNITS[image]
                for colour in (False, True):
                    drawings.append(
                        lambda f, i=image, p=pictures, u=unit, c=colour: views(f, p, kept.like, kept.body, i, u, c)  # type: ignore[misc]
                    )
        if self._box is None:
            say(f"Not drawn: agreement in the tumour ({self._no_box}).")
        else:
            _, pairs, agreements = self._box
            reference = NOISY if kept is not None and "SUV" in kept.images else TRUTH
            drawings.append(lambda f: tumour_agreement(f, pairs, agreements, f"the {reference}"))
        return drawings

    def _drawings_of_doses(self, summary: Sequence[Row], say: Callable[[str], None]) -> list[Drawing]:
        if len(self.doses) < 2:
            return []
        first = self.quality[0]
        rows = [r for r in summary if r["world"] == USUAL and r["input"] == AORTA]
        rows = [r for r in rows if r["until_min"] == first["until_min"]]
        methods = list(dict.fromkeys(str(row["method"]) for row in self.quality))
        drawings: list[Drawing] = [lambda f: errors_by_dose(f, rows, methods)]
        if lesion_sizes(rows):
            drawings.append(lambda f: lesions_by_dose(f, rows, methods))
        else:
            say("Not drawn: lesions by size over dose (no lesion lies wholly in the slices judged).")
        return drawings

    def _of_figures(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of the case that figures of images show."""
        until = rows[0]["until_min"] if rows else None
        return [row for row in rows if row["dose"] == self._dose and row["until_min"] == until]

    def _table(self) -> list[str]:
        """Means over patients of every metric that was computed, as Markdown."""
        better = {**_OWN, **{metric.name: metric.better for metric in METRICS}}
        cases = dict.fromkeys(tuple(row[name] for name in (*_CASE, "image", "reference")) for row in self.quality)
        rows: list[tuple[tuple[object, ...], str, Mapping[str, float]]] = []
        for case in cases:
            here = [row for row in self.quality if tuple(row[name] for name in (*_CASE, "image", "reference")) == case]
            rows += [(case, method, means) for method, means in _means(here, better).items()]
        metrics = [name for name in better if any(name in means for _, _, means in rows)]
        head = ["dose", "until, min", "image", "reference", "method"]
        head += [f"{_HEADS.get(name, name)} {'↑' if better[name] == 'high' else '↓'}" for name in metrics]
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for (dose, until, image, reference), method, means in rows:
            cells = [f"{dose:g}", "full" if until is None else f"{until:g}", str(image), str(reference), called(method)]
            cells += [three_digits(means[name]) if name in means else "–" for name in metrics]
            lines.append("| " + " | ".join(cells) + " |")
        return lines


def _shown(
    found: Mapping[str, tuple[Contestant, ParametricResult]],
) -> dict[str, tuple[Contestant, ParametricResult]]:
    """Everybody but the classical methods that do not stand for them, and those who differ in samples alone."""
    shown: dict[str, tuple[Contestant, ParametricResult]] = {}
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for label, (one, result) in found.items():
        same = (one.method, tuple(sorted(one.options.items())))
        if (one.classical and label != REGULARISED) or same in seen:
            continue
        seen.add(same)
        shown[label] = (one, result)
    return shown


def _means(rows: list[Row], better: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """method -> metric -> mean over patients, of metrics that every patient has."""
    means: dict[str, dict[str, float]] = {}
    for method in dict.fromkeys(str(row["method"]) for row in rows):
        here = [row for row in rows if row["method"] == method]
        means[method] = {}
        for metric in better:
            values = [row[metric] for row in here]
            if all(isinstance(v, float) and np.isfinite(v) for v in values):
                means[method][metric] = float(np.mean(values))  # type: ignore[arg-type]
    return means


def _views(values: Mapping[str, Float32], references: Mapping[str, Float32]) -> list[View]:
    return [View(name, image) for name, image in {**references, **values}.items()]


def _last_suv(patient: DigitalPatient, result: ParametricResult, curve: InputFunction) -> Float32 | None:
    """SUV of the full scan's last frame as a method's maps predict it; None where they cannot."""
    if "v0" not in result.maps and "k1" not in result.maps:
        return None
    series = patient.series
    frame = series.timing.select([len(series.timing) - 1])
    activity = predicted_frame(result, curve, frame, series.frame_decay_per_s, patient.body_mask)
    return activity * np.float32(series.suv_factor or 1.0)
