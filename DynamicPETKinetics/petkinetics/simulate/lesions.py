"""Lesions: where they sit, how large they are, benign or malignant, and their kinetics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Anatomy, Labels, Position
from petkinetics.simulate.fields import SmoothField
from petkinetics.simulate.physiology import Kinetics
from petkinetics.simulate.seeds import stream

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: nominal diameters; uneven surfaces still leave them within 6-40 mm
SMALLEST_MM = 6.3
LARGEST_MM = 38.0
#: Ki of malignant and of benign lesions, mL/min/mL
MALIGNANT_KI = (0.010, 0.080)
BENIGN_KI = (0.003, 0.010)
#: lattice on which places are searched
_LATTICE_MM = 5.0


@dataclass(frozen=True)
class Site:
    """A kind of place for lesions.

    :param tissues: where the centre may lie.
    :param forbidden: tissues the lesion keeps clear of, besides blood, air and airways.
    :param largest_mm: no larger diameter here.
    :param weight: how often the site is drawn.
    :param inside: diameters that the centre lies at least within its tissues.
    :param depth: of the centre below the body surface in diameters; None for anywhere inside.
    """

    tissues: tuple[str, ...]
    forbidden: tuple[str, ...]
    largest_mm: float
    weight: float
    inside: float = 0.0
    depth: float | None = None


SITES: dict[str, Site] = {
    "lung": Site(("lung",), ("myocardium",), LARGEST_MM, 0.28, inside=0.3),
    "liver": Site(("liver",), ("lung",), LARGEST_MM, 0.22, inside=0.5),
    "lymph node": Site(("mediastinum",), ("myocardium",), 24.0, 0.18),
    "bone marrow": Site(("vertebrae", "ribs", "sternum", "pelvic bones"), ("spinal cord",), 24.0, 0.14),
    "soft tissue": Site(("muscle",), ("lung", "liver"), 34.0, 0.10, inside=0.2),
    # a third of the diameter under the surface, so that the outer part bulges
    "skin": Site(("skin", "subcutaneous fat", "muscle"), ("ribs", "lung"), 24.0, 0.08, depth=0.3),
    "abdominal lymph node": Site(("retroperitoneal fat", "mesentery"), ("kidney", "vertebrae"), 24.0, 0.18),
    "brain": Site(("white matter",), ("cerebrospinal fluid",), 30.0, 0.18),
}


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    :param number: its label in the lesion map, from 1.
    :param centre_mm: patient coordinates (x, y, z).
    :param diameter_mm: of the sphere of the same volume.
    :param axes: 3x3, rows scale a position relative to the centre to the unit sphere.
    :param hollow: share of the radius within which the tissue stays what it is, so that a ring is seen.
    """

    number: int
    site: str
    malignant: bool
    centre_mm: Position
    diameter_mm: float
    axes: Float64
    kinetics: Kinetics
    hollow: float = 0.0

    @property
    def name(self) -> str:
        """Such as "malignant lung lesion 14 mm"."""
        kind = "malignant" if self.malignant else "benign"
        return f"{kind} {self.site} lesion {self.diameter_mm:.0f} mm"


def place_lesions(
    seed: int,
    anatomy: Anatomy,
    low_z_mm: float,
    high_z_mm: float,
    smallest_mm: float = SMALLEST_MM,
    purpose: str = "lesions",
) -> list[Lesion]:
    """Draw 4 to 8 lesions, at least one malignant and one benign, apart from each other.

    :param low_z_mm: lesions lie wholly above this level; *high_z_mm*: and below this one.
    :param smallest_mm: no smaller diameter; sites that do not let this one in stay empty.
    :param purpose: the random stream.
    """
    rng = stream(seed, purpose)
    ground = _Ground(anatomy, low_z_mm, high_z_mm)
    sites = [name for name in ground.sites if SITES[name].largest_mm > smallest_mm]
    weights = np.array([SITES[name].weight for name in sites])
    wanted = int(rng.integers(4, 9))
    lesions: list[Lesion] = []
    for _ in range(60):
        if len(lesions) == wanted:
            break
        name = str(rng.choice(sites, p=weights / weights.sum()))
        diameter = float(np.exp(rng.uniform(np.log(smallest_mm), np.log(SITES[name].largest_mm))))
        centre = ground.draw_centre(rng, name, diameter)
        if centre is None or any(_too_near(centre, diameter, other) for other in lesions):
            continue
        number = len(lesions) + 1
        malignant = number == 1 or (number > 2 and bool(rng.random() < 0.6))
        axes = _random_axes(rng, diameter)
        kinetics = lesion_kinetics(rng, MALIGNANT_KI if malignant else BENIGN_KI, malignant)
        lesions.append(Lesion(number, name, malignant, centre, diameter, axes, kinetics))
    return lesions


def _too_near(centre_mm: Position, diameter_mm: float, other: Lesion) -> bool:
    distance = float(np.linalg.norm(np.subtract(centre_mm, other.centre_mm)))
    return distance < 0.65 * (diameter_mm + other.diameter_mm) + 6.0


class _Ground:
    """Where in a body the centre of a lesion may lie, searched on a coarse lattice."""

    def __init__(self, anatomy: Anatomy, low_z_mm: float, high_z_mm: float) -> None:
        low = (anatomy.low_mm[0], anatomy.low_mm[1], low_z_mm - 8.0)
        high = (anatomy.high_mm[0], anatomy.high_mm[1], high_z_mm + 8.0)
        x, y, z = (np.arange(lo, hi, _LATTICE_MM, dtype=np.float32) for lo, hi in zip(low, high, strict=True))
        self._z_range = (low_z_mm, high_z_mm)
        self._blood = list(anatomy.blood)
        self._by_name = {name: label for label, name in anatomy.names.items()}
        labels = anatomy.paint(x, y, z)
        # the body with a margin of air, within which all distances are what they are on the whole lattice
        columns, rows = (
            _with_margin(np.flatnonzero(labels.any(axis=axes)), n) for axes, n in (((0, 1), len(x)), ((0, 2), len(y)))
        )
        self._axes = (x[columns], y[rows], z)
        self._labels = labels[:, rows, columns]
        self._distances: dict[tuple[str, str], Float32] = {}
        #: sites that this body has
        self.sites = [name for name, site in SITES.items() if self._are(site.tissues).any()]

    def draw_centre(self, rng: np.random.Generator, name: str, diameter_mm: float) -> Position | None:
        """A place at random; None where a lesion of this size finds none."""
        places = np.argwhere(self._allowed(name, diameter_mm))
        if not len(places):
            return None
        index = places[rng.integers(len(places))][::-1]
        jitter = rng.uniform(-0.5, 0.5, 3) * _LATTICE_MM
        x, y, z = (float(axis[i] + shift) for axis, i, shift in zip(self._axes, index, jitter, strict=True))
        return x, y, z

    def _allowed(self, name: str, diameter_mm: float) -> NDArray[np.bool_]:
        site, z = SITES[name], self._axes[2]
        allowed = self._are(site.tissues) & (self._distance(name, "kept clear of") > 0.62 * diameter_mm + 2.0)
        if site.inside:
            allowed &= self._distance(name, "other tissue") > site.inside * diameter_mm
        if site.depth is not None:
            below = self._distance(name, "air") - site.depth * diameter_mm
            allowed &= (below > 0.0) & (below < _LATTICE_MM)
        low, high = self._z_range
        allowed &= ((z > low + 0.7 * diameter_mm) & (z < high - 0.7 * diameter_mm))[:, None, None]
        return np.asarray(allowed)

    def _distance(self, name: str, to: str) -> Float32:
        """Distance (mm) of every lattice point to what matters to a site."""
        if (name, to) not in self._distances:
            site = SITES[name]
            if to == "air":
                mask = self._labels == 0
            elif to == "other tissue":
                mask = ~self._are(site.tissues)
            else:
                outside = () if site.depth is not None else ("air", "skin")
                mask = self._are((*site.forbidden, "airways", *outside)) | np.isin(self._labels, self._blood)
            self._distances[name, to] = _distance_to(mask)
        return self._distances[name, to]

    def _are(self, tissues: tuple[str, ...]) -> NDArray[np.bool_]:
        labels = [self._by_name[tissue] for tissue in tissues if tissue in self._by_name]
        return np.asarray(np.isin(self._labels, labels))


def _with_margin(inside: NDArray[np.intp], size: int) -> slice:
    return slice(max(int(inside[0]) - 1, 0), min(int(inside[-1]) + 2, size)) if inside.size else slice(0, size)


def _distance_to(mask: NDArray[np.bool_]) -> Float32:
    """Distance (mm) of every lattice point to the nearest point of a mask."""
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=_LATTICE_MM), dtype=np.float32)


def _random_axes(rng: np.random.Generator, diameter_mm: float) -> Float64:
    """A randomly turned ellipsoid with axis ratios up to about 1.4 and the volume of the sphere."""
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    ratio = np.exp(rng.uniform(-0.16, 0.16, 3))
    ratio /= np.cbrt(np.prod(ratio))
    return np.asarray(turn / (0.5 * diameter_mm * ratio)[:, None])


def lesion_kinetics(rng: np.random.Generator, ki_range: tuple[float, float], malignant: bool) -> Kinetics:
    """Rate constants with Ki log-uniform in a range (mL/min/mL) and the others those of its kind; k4 = 0."""
    low, high = ki_range
    ki = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    fv = float(rng.uniform(0.04, 0.16))
    extracted = ki / (1.0 - fv)
    k1 = float(max((0.28 if malignant else 0.16) * np.exp(0.35 * rng.standard_normal()), 2.5 * extracted))
    k2 = float(np.clip((0.60 if malignant else 0.45) * np.exp(0.3 * rng.standard_normal()), 0.2, 1.2))
    # Ki = (1 - fv) K1 k3 / (k2 + k3), solved for k3; K1 >= 2.5 Ki keeps k3 <= k2 / 1.5
    k3 = extracted * k2 / (k1 - extracted)
    if k3 > 0.45:
        k2, k3 = k2 * 0.45 / k3, 0.45
    return Kinetics(k1, k2, float(k3), 0.0, fv)


def paint_lesions(
    labels: Labels,
    blood: frozenset[int],
    lesions: list[Lesion],
    roughness: SmoothField,
    x: Float32,
    y: Float32,
    z: Float32,
) -> NDArray[np.uint8]:
    """The lesion map on a grid of three axes: 0, or the lesion's number.

    The surface is an ellipsoid made uneven by a smooth field. Blood is never painted over. A lesion
    smaller than a voxel takes the voxel nearest to its centre, where that lies on the grid.

    :param labels: tissue labels on that grid, uint8 (len(z), len(y), len(x)); *blood*: those that are blood.
    :param x: positions of the columns, mm; *y* of the rows, *z* of the slices.
    """
    found = np.zeros(labels.shape, dtype=np.uint8)
    for lesion in lesions:
        reach = lesion.diameter_mm
        cut = []
        for axis, centre in zip((z, y, x), lesion.centre_mm[::-1], strict=True):
            inside = np.flatnonzero(np.abs(axis - centre) <= reach)
            cut.append(slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0))
        kk, jj, ii = cut
        if min(s.stop - s.start for s in cut) == 0:
            continue
        cx, cy, cz = lesion.centre_mm
        offset = np.stack(
            np.broadcast_arrays((x[ii] - cx)[None, None, :], (y[jj] - cy)[None, :, None], (z[kk] - cz)[:, None, None])
        )
        radius = np.sqrt(np.sum(np.tensordot(lesion.axes, offset, axes=1) ** 2, axis=0))
        uneven = 1.0 + 0.09 * np.clip(roughness.on_axes(x[ii], y[jj], z[kk]), -2.0, 2.0)
        free = ~np.isin(labels[kk, jj, ii], list(blood))
        part = found[kk, jj, ii]
        inside_lesion = (radius < uneven) & (radius >= lesion.hollow) & free & (part == 0)
        if not inside_lesion.any():
            inside_lesion = (radius == radius.min()) & free & (radius < 3.0)
        part[inside_lesion] = lesion.number
    return found
