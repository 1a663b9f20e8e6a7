"""Two-tissue parameters of FDG in every tissue: means, variation between patients, texture within organs.

k4 is 0 unless asked for: over 65 minutes FDG-6-phosphate counts as trapped, as in the public whole-body
simulators, so that Ki and V0 have their one meaning in every voxel. The table holds the brain's k4; a
reversible patient has it, and there V0 is not defined. (Hepatocytes release some FDG again as well; a
table entry is all it would take.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.kinetics.compartments import initial_volume, net_influx
from petkinetics.simulate.seeds import stream

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Kinetics:
    """FDG in one tissue: K1 in mL/min/mL, k2...k4 in 1/min, fv a fraction."""

    k1: float
    k2: float
    k3: float
    k4: float
    fv: float

    @property
    def ki(self) -> float:
        """(1 - fv) K1 k3 / (k2 + k3), mL/min/mL."""
        return float(net_influx(self.k1, self.k2, self.k3, self.fv))


@dataclass(frozen=True)
class TissueStatistics:
    """A tissue's population median and its variation between patients.

    :param cv: between-patient coefficients of variation of K1, of the ratio K1/k2, of k3 and of fv.
    """

    median: Kinetics
    cv: tuple[float, float, float, float] = (0.32, 0.12, 0.34, 0.32)


def _tissue(k1: float, k2: float, k3: float, fv: float, k3_cv: float = 0.34, k4: float = 0.0) -> TissueStatistics:
    return TissueStatistics(Kinetics(k1, k2, k3, k4, fv), (0.32, 0.12, k3_cv, 0.32))


_BLOOD = TissueStatistics(Kinetics(0.0, 0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 0.0))
_NOTHING = TissueStatistics(Kinetics(0.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0))

#: Chosen so that Ki lies in the literature's ranges of organ means (mL/min/mL): muscle .002-.004, lung
#: .001-.003, liver .002-.006, spleen .002-.006, marrow .004-.008, myocardium .01-.1 (diet), and so that
#: SUV an hour after injection is what people see (liver 2-2.5, blood 1.5, muscle 0.7, fat 0.3).
TISSUE_KINETICS: dict[str, TissueStatistics] = {
    "air": _NOTHING,
    "airways": _NOTHING,
    "skin": _tissue(0.030, 0.20, 0.015, 0.05),
    "subcutaneous fat": _tissue(0.010, 0.10, 0.008, 0.015),
    "visceral fat": _tissue(0.014, 0.10, 0.008, 0.03),
    "mediastinum": _tissue(0.020, 0.12, 0.010, 0.06),
    "muscle": _tissue(0.035, 0.21, 0.0155, 0.03),
    "ribs": _tissue(0.110, 0.34, 0.012, 0.05),
    "sternum": _tissue(0.140, 0.35, 0.013, 0.06),
    "vertebrae": _tissue(0.160, 0.35, 0.0135, 0.06),
    "intervertebral discs": _tissue(0.015, 0.15, 0.008, 0.01),
    "spinal cord": _tissue(0.060, 0.16, 0.014, 0.04),
    "lung": _tissue(0.022, 0.20, 0.017, 0.14),
    "liver": _tissue(0.900, 0.95, 0.0042, 0.15),
    "spleen": _tissue(1.150, 1.55, 0.0062, 0.20),
    "kidney": _tissue(0.700, 0.70, 0.0085, 0.12),
    "renal pelvis": _tissue(0.120, 0.30, 0.080, 0.05, k3_cv=0.5),
    "stomach wall": _tissue(0.200, 0.50, 0.011, 0.05),
    "stomach content": _tissue(0.010, 0.15, 0.004, 0.00),
    "bowel": _tissue(0.180, 0.48, 0.015, 0.04, k3_cv=0.6),
    "oesophagus": _tissue(0.120, 0.45, 0.011, 0.05),
    "myocardium": _tissue(0.600, 1.20, 0.065, 0.12, k3_cv=0.7),
    # thin, works less than the left: its own lower level, the diet's deviation shared
    "right ventricular wall": _tissue(0.450, 1.15, 0.025, 0.12, k3_cv=0.7),
    "left ventricle": _BLOOD,
    "left atrium": _BLOOD,
    "right heart": _BLOOD,
    "pulmonary artery": _BLOOD,
    "superior vena cava": _BLOOD,
    "inferior vena cava": _BLOOD,
    "aorta": _BLOOD,
    "retroperitoneal fat": _tissue(0.014, 0.10, 0.008, 0.03),
    "mesentery": _tissue(0.030, 0.16, 0.009, 0.08),
    "bowel content": _tissue(0.010, 0.15, 0.010, 0.00, k3_cv=0.5),
    "bowel gas": _NOTHING,
    "gallbladder": _tissue(0.012, 0.15, 0.005, 0.00),
    "pancreas": _tissue(0.500, 1.15, 0.0075, 0.12),
    "adrenal gland": _tissue(0.400, 0.85, 0.0075, 0.12),
    "bladder wall": _tissue(0.120, 0.42, 0.010, 0.05),
    # what the kidneys excrete arrives with little delay and stays
    "urine": _tissue(0.110, 0.05, 0.100, 0.00, k3_cv=0.5),
    "pelvic bones": _tissue(0.120, 0.34, 0.012, 0.05),
    "cartilage": _tissue(0.015, 0.15, 0.008, 0.01),
    "portal vein": _BLOOD,
    "iliac veins": _BLOOD,
    "iliac arteries": _BLOOD,
    "limb bones": _tissue(0.040, 0.30, 0.010, 0.03),
    "skull": _tissue(0.040, 0.28, 0.010, 0.04),
    "cerebrospinal fluid": _tissue(0.004, 0.10, 0.004, 0.00),
    # Huang et al. 1980, Table 1; grey matter's K1 and k3 a little higher, so that Ki is .034 as in their subjects
    "grey matter": _tissue(0.108, 0.130, 0.064, 0.04, k3_cv=0.36, k4=0.0068),
    "white matter": _tissue(0.054, 0.109, 0.045, 0.025, k3_cv=0.36, k4=0.0058),
    "basal ganglia": _tissue(0.112, 0.130, 0.066, 0.04, k3_cv=0.36, k4=0.0068),
    "thalamus": _tissue(0.108, 0.130, 0.062, 0.04, k3_cv=0.36, k4=0.0068),
    "cerebellum": _tissue(0.105, 0.140, 0.048, 0.04, k3_cv=0.36, k4=0.0068),
    "brainstem": _tissue(0.075, 0.120, 0.045, 0.035, k3_cv=0.36, k4=0.0060),
    "eye": _tissue(0.006, 0.10, 0.004, 0.00),
    "salivary gland": _tissue(0.180, 0.42, 0.012, 0.06),
    "dural sinuses": _BLOOD,
    "jugular veins": _BLOOD,
    "carotid arteries": _BLOOD,
}

#: without structure of their own
_LIQUIDS = ("urine", "gallbladder", "cerebrospinal fluid")

#: tissues that take another one's deviation from the median
_VARIES_WITH = {
    "ribs": "vertebrae",
    "sternum": "vertebrae",
    "pelvic bones": "vertebrae",
    "visceral fat": "subcutaneous fat",
    "retroperitoneal fat": "subcutaneous fat",
    "mesentery": "subcutaneous fat",
    "cartilage": "intervertebral discs",
    "limb bones": "vertebrae",
    "skull": "vertebrae",
    **dict.fromkeys(("white matter", "basal ganglia", "thalamus", "cerebellum", "brainstem"), "grey matter"),
    "right ventricular wall": "myocardium",
}
#: no draw further than this from the median, in standard deviations of the logarithm
_LIMIT_SD = 2.2
#: standard deviation of the texture of K1 (k2 with it), of k3 and of fv within an organ
TEXTURE = {"k1": 0.14, "k3": 0.14, "fv": 0.12}
#: a texture never changes a parameter by more than this factor either way
_TEXTURE_LIMIT = 0.45
#: k4 of a tracer that is not trapped, 1/min: of the size of FDG's k3
RELEASE = (0.05, 0.10)
#: bounds of every voxel
LARGEST = {"k1": 2.0, "k2": 3.0, "k3": 0.5, "fv": 1.0}


def blood_labels(names: dict[int, str]) -> frozenset[int]:
    """The labels that are blood."""
    return frozenset(label for label, name in names.items() if TISSUE_KINETICS[name] is _BLOOD)


def untextured(names: dict[int, str]) -> frozenset[int]:
    """The labels that are the same throughout: blood and other liquids."""
    return blood_labels(names) | {label for label, name in names.items() if name in _LIQUIDS}


def draw_kinetics(seed: int, names: dict[int, str], reversible: bool = False) -> dict[int, Kinetics]:
    """One patient's parameters of each tissue, log-normal about the medians.

    Marrow-bearing bones share one deviation, as do fats, the parts of the brain and both walls of the
    heart; other tissues vary independently.

    :param reversible: with the tissues' k4; otherwise k4 is 0.
    """
    drawn = {}
    for label, name in names.items():
        statistics = TISSUE_KINETICS[name]
        tissue = _draw(stream(seed, f"kinetics of {_VARIES_WITH.get(name, name)}"), statistics)
        drawn[label] = tissue if reversible else replace(tissue, k4=0.0)
    return drawn


def released(rng: np.random.Generator, tissue: Kinetics) -> Kinetics:
    """The tissue with a k4 from :data:`RELEASE`; blood and air, which hold nothing, as they are."""
    return replace(tissue, k4=float(rng.uniform(*RELEASE))) if tissue.k3 > 0 else tissue


def _draw(rng: np.random.Generator, statistics: TissueStatistics) -> Kinetics:
    sd = np.sqrt(np.log1p(np.array(statistics.cv) ** 2))
    k1, ratio, k3, fv = np.exp(sd * np.clip(rng.standard_normal(4), -_LIMIT_SD, _LIMIT_SD))
    m = statistics.median
    return Kinetics(
        k1=float(m.k1 * k1), k2=float(m.k2 * k1 / ratio), k3=float(m.k3 * k3), k4=m.k4,
        fv=float(min(m.fv * fv, 1.0 if m.fv == 1.0 else 0.6)),
    )  # fmt: skip


@dataclass(frozen=True)
class ParameterMaps:
    """True parameters of every voxel, float32 (slices, rows, columns); 0 in air."""

    k1: Float32
    k2: Float32
    k3: Float32
    k4: Float32
    fv: Float32

    @property
    def ki(self) -> Float32:
        """Ki = (1 - fv) K1 k3 / (k2 + k3), mL/min/mL, of the parameters, not blurred."""
        return net_influx(self.k1, self.k2, self.k3, self.fv).astype(np.float32)

    def v0(self, blood_to_plasma: float) -> Float32:
        """V0 = (1 - fv) K1 k2 / (k2 + k3)^2 + fv whole blood/plasma, mL/mL; NaN where k4 > 0.

        :param blood_to_plasma: ratio of whole blood to plasma.
        """
        volume = initial_volume(self.k1, self.k2, self.k3, self.fv, blood_to_plasma)
        return np.where(self.k4 > 0, np.nan, volume).astype(np.float32)


def parameter_maps(
    labels: NDArray[np.integer],
    kinetics: dict[int, Kinetics],
    flow_texture: Float32,
    trapping_texture: Float32,
    smooth: frozenset[int],
) -> ParameterMaps:
    """Parameters voxel by voxel: the tissue's, times the texture of its place.

    Flow and permeability scale K1 and k2 together (and fv), metabolism scales k3.

    :param flow_texture: unit-variance field on the grid; *trapping_texture*: an independent one.
    :param smooth: labels without texture (liquids).
    """
    table = {name: np.zeros(256, dtype=np.float32) for name in ("k1", "k2", "k3", "k4", "fv")}
    textured = np.ones(256, dtype=np.float32)
    for label, tissue in kinetics.items():
        for name, values in table.items():
            values[label] = getattr(tissue, name)
    textured[list(smooth)] = 0.0
    amount = textured[labels]

    def texture(size: float, field: Float32) -> Float32:
        return 1.0 + amount * np.clip(np.float32(size) * field, -_TEXTURE_LIMIT, _TEXTURE_LIMIT)

    flow = texture(TEXTURE["k1"], flow_texture)
    return ParameterMaps(
        k1=np.minimum(table["k1"][labels] * flow, np.float32(LARGEST["k1"])),
        k2=np.minimum(table["k2"][labels] * flow, np.float32(LARGEST["k2"])),
        k3=np.minimum(table["k3"][labels] * texture(TEXTURE["k3"], trapping_texture), np.float32(LARGEST["k3"])),
        k4=table["k4"][labels],
        fv=np.minimum(table["fv"][labels] * texture(TEXTURE["fv"], flow_texture), np.float32(LARGEST["fv"])),
    )
