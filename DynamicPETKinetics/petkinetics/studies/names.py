"""What a study's tables call things: the usual world, input functions, methods and columns that are read by name."""

from __future__ import annotations

from collections.abc import Iterable

#: the world of a scan in which nothing is changed
USUAL = "usual"
#: where the input function comes from: the aorta region of the noisy images, or the simulation
AORTA, TRUE_CURVE = "aorta ROI", "true curve"
INPUTS = (AORTA, TRUE_CURVE)

#: weighted Patlak of the scan that is judged, and of the noisy full scan
PATLAK, PATLAK_OF_FULL_SCAN = "patlak", "patlak (full scan)"
#: how the labels of classical methods at the strengths of least error end
TUNED = " (tuned)"
#: methods with weights trained on simulated patients, by their names in :data:`petkinetics.estimators.METHODS`
KINETIC_NETWORK, DIRECT_NETWORK, DIFFUSION_PRIOR = "kinetic-network", "direct-network", "diffusion-prior"
LEARNED = (KINETIC_NETWORK, DIRECT_NETWORK, DIFFUSION_PRIOR)

#: what tables and figures for people call a method with options, by its label in the tables of numbers: the paper's
#: network at the size that can be trained here, and at the paper's own
_CALLED = {f"{KINETIC_NETWORK}:preset=compact": "compact", f"{KINETIC_NETWORK}:preset=liang2023": "liang2023"}

#: what the tumour box's Ki is held against
TRUTH, NOISY_FULL_SCAN = "truth", "noisy full scan"
#: columns that name a case: all its rows are of the same data
CASE = ("world", "dose", "until_min", "input")
#: how the columns of the lesions' mean bias begin, one a class of size (mm)
BIAS_BY_SIZE = "lesion_mean_bias_percent_"


def called(label: object) -> str:
    """What people read for a method's label, in every table and figure: "compact" for the paper's network."""
    return _CALLED.get(str(label), str(label))


def explained(labels: Iterable[object]) -> list[str]:
    """Sentences that say which label stands behind a name that is another; none where all are their own."""
    return [f"`{called(label)}` is `{label}`." for label in dict.fromkeys(map(str, labels)) if called(label) != label]
