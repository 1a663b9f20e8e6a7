"""Derive the tissue map of the anatomy ``torso-ct`` from a CT and its organ labels.

Run in this folder: ``python derive_tissues.py OUT_FOLDER``. It writes ``torso_ct.nii.gz`` (uint8, 3 mm, patient axes)
and ``torso_ct.tsv`` (index and name of each tissue), which are shipped in ``petkinetics/simulate/data``; a test
holds the shipped map to this script. The organs are the labels'. What they leave out is taken from the CT: the body's
outline, skin, fat, muscle, bone, gas in the bowel. Walls are the outer voxel of a hollow organ.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

HERE = Path(__file__).parent
#: index -> tissue, the kinetics' names
TISSUES = (
    "air",
    "skin",
    "subcutaneous fat",
    "muscle",
    "ribs",
    "lung",
    "visceral fat",
    "retroperitoneal fat",
    "mesentery",
    "bowel",
    "bowel content",
    "bowel gas",
    "liver",
    "gallbladder",
    "spleen",
    "pancreas",
    "adrenal gland",
    "stomach wall",
    "stomach content",
    "kidney",
    "renal pelvis",
    "bladder wall",
    "urine",
    "vertebrae",
    "intervertebral discs",
    "spinal cord",
    "pelvic bones",
    "cartilage",
    "portal vein",
    "inferior vena cava",
    "iliac veins",
    "iliac arteries",
    "aorta",
)
LABEL = {name: index for index, name in enumerate(TISSUES)}
#: organ labels of TotalSegmentator (version 2) that are one tissue as they stand
ONE_TO_ONE = {
    "spleen": (1,),
    "kidney": (2, 3),
    "gallbladder": (4,),
    "liver": (5,),
    "pancreas": (7,),
    "adrenal gland": (8, 9),
    "lung": (10, 11, 14),
    "vertebrae": (27, 28, 29, 30, 31, 32, 33),
    "pelvic bones": (25, 26, 75, 76, 77, 78),
    "aorta": (52,),
    "inferior vena cava": (63,),
    "portal vein": (64,),
    "iliac arteries": (65, 66),
    "iliac veins": (67, 68),
    "spinal cord": (79,),
    "muscle": (80, 81, 82, 83, 84, 85, 86, 87, 88, 89),
    "ribs": tuple(range(92, 116)),
    "cartilage": (117,),
}
STOMACH, COLON, SMALL_BOWEL, BLADDER = 6, (20,), (18, 19), 21
Mask = NDArray[np.bool_]


def patient_axes(name: str) -> sitk.Image:
    """An image of this folder with its axes along the patient's (left, back, head)."""
    return sitk.DICOMOrient(sitk.ReadImage(str(HERE / name)), "LPS")


def body_outline(hu: NDArray[np.int32]) -> Mask:
    """The patient without the table: opened, largest part, holes filled slice by slice."""
    inside = ndimage.binary_opening(hu > -350, iterations=2)
    # the table touches the back: what is thin from front to back there is not the patient
    inside = ndimage.binary_opening(inside, structure=np.ones((1, 9, 1), dtype=bool))
    parts, _ = ndimage.label(inside)
    body = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    return np.stack([ndimage.binary_fill_holes(ndimage.binary_closing(part, iterations=2)) for part in body])


def disk(radius: int) -> Mask:
    """A disk within slices."""
    at = np.arange(-radius, radius + 1)
    return (at[:, None] ** 2 + at[None, :] ** 2 <= radius**2)[None]


def near(mask: Mask, distance_mm: float) -> Mask:
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=3.0) <= distance_mm)


def derive(hu: NDArray[np.int32], organs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The tissue map of a CT (HU) and its organ labels."""
    body = body_outline(hu)
    viscera = np.isin(organs, [1, 2, 3, 4, 5, STOMACH, 7, 8, 9, 10, 11, 14, *COLON, *SMALL_BOWEL, BLADDER, 52, 63, 64])
    reach = 12
    padded = np.pad(viscera, ((0, 0), (reach, reach), (reach, reach)))
    cavity = ndimage.binary_closing(padded, structure=disk(reach))[:, reach:-reach, reach:-reach] & body
    back_wall = np.isin(organs, [86, 87, 88, 89, *range(25, 34), *range(75, 86), *range(92, 116)])
    cavity &= ~ndimage.binary_closing(back_wall, iterations=2)

    out = np.zeros(hu.shape, dtype=np.uint8)
    soft = ndimage.gaussian_filter(hu.astype(np.float32), 0.6) > -35
    out[body & ~cavity] = LABEL["subcutaneous fat"]
    out[body & ~cavity & soft] = LABEL["muscle"]
    out[cavity] = LABEL["visceral fat"]
    out[cavity & soft] = LABEL["mesentery"]
    vessels = np.isin(organs, [52, 63, 65, 66, 67, 68])
    out[(out == LABEL["visceral fat"]) & near(vessels, 15.0)] = LABEL["retroperitoneal fat"]
    for name, labels in ONE_TO_ONE.items():
        out[np.isin(organs, labels)] = LABEL[name]
    free = (organs == 0) & body
    out[free & ~cavity & (hu > 220)] = LABEL["ribs"]
    column = np.isin(organs, range(25, 34))
    between = ndimage.binary_closing(column, structure=np.ones((7, 1, 1), dtype=bool)) & free & (hu < 220)
    out[between & near(column, 6.5) & ~near(organs == 79, 4.0) & front_of(organs)] = LABEL["intervertebral discs"]
    # the sinus of a kidney: what the kidney's label encloses but leaves out
    kidneys = np.isin(organs, (2, 3))
    sinus = ndimage.binary_closing(kidneys, iterations=4) & free & ~near(vessels, 6.0)
    out[sinus & (hu > -20)] = LABEL["renal pelvis"]
    for wall, content, labels in (
        ("stomach wall", "stomach content", (STOMACH,)),
        ("bowel", "bowel content", COLON),
        ("bladder wall", "urine", (BLADDER,)),
    ):
        organ = np.isin(organs, labels)
        out[organ] = LABEL[wall]
        out[ndimage.binary_erosion(organ)] = LABEL[content]
    out[np.isin(organs, SMALL_BOWEL)] = LABEL["bowel"]
    out[cavity & np.isin(organs, (0, STOMACH, *COLON, *SMALL_BOWEL)) & (hu < -300)] = LABEL["bowel gas"]
    out[(organs == 0) & body & (hu < -500) & near(out == LABEL["lung"], 6.0)] = LABEL["lung"]
    for part in (LABEL["muscle"], LABEL["mesentery"]):
        out[specks(out == part)] = LABEL["subcutaneous fat"] if part == LABEL["muscle"] else LABEL["visceral fat"]
    out[body & ~ndimage.binary_erosion(body, structure=disk(1))] = LABEL["skin"]
    out[~body] = LABEL["air"]
    return out


def front_of(organs: NDArray[np.uint8]) -> Mask:
    """In front of the spinal cord, slice by slice: where vertebral bodies and discs are."""
    front = np.zeros(organs.shape, dtype=bool)
    edge = organs.shape[1] // 2
    for k, part in enumerate(organs):
        rows = np.flatnonzero((part == 79).any(axis=1))
        edge = int(rows[0]) if rows.size else edge
        front[k, :edge] = True
    return front


def specks(mask: Mask, smallest: int = 12) -> Mask:
    """Parts of a mask of fewer voxels: noise of the CT."""
    parts, _ = ndimage.label(mask)
    return np.asarray(mask & (np.bincount(parts.ravel()) < smallest)[parts])


def main(out: Path) -> None:
    ct, labels = patient_axes("ct.nii.gz"), patient_axes("labels.nii.gz")
    image = sitk.GetImageFromArray(derive(sitk.GetArrayFromImage(ct), sitk.GetArrayFromImage(labels)))
    image.SetSpacing(ct.GetSpacing())
    image.SetOrigin(ct.GetOrigin())
    sitk.WriteImage(image, str(out / "torso_ct.nii.gz"), True, 9)
    rows = "".join(f"{index}\t{name}\n" for index, name in enumerate(TISSUES))
    (out / "torso_ct.tsv").write_text("index\tname\n" + rows, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a folder")
    main(parser.parse_args().out)
