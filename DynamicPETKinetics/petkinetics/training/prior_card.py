"""The model card of the diffusion prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from petkinetics.networks.noise_schedule import LEAST_LEVEL, MOST_LEVEL
from petkinetics.networks.score_network import BLOCKS, SLICES, WIDTHS
from petkinetics.training.model_card import KNOWN_FAILURES, SIMULATED_ONLY, data_part, whole_card
from petkinetics.training.static_patches import MEASURED_LEVELS, NOISE_FWHM_MM
from petkinetics.training.static_patient import ANATOMY_SHARES, T_STARS_MIN
from petkinetics.training.static_patient import SLICES as SLAB_SLICES

_BESIDE_OWN = (
    "Trained on the own static PET beside simulated patients; other patients and scanners may differ in ways that "
    "neither shows."
)
_FAILURES_OF_A_PRIOR = (
    "Told a noise that is too small it takes noise for anatomy; told too much it levels small lesions.",
    "A lesion of a few voxels and low contrast is drawn towards its surroundings, more so at low counts.",
)


def prior_card(
    preset: str,
    seeds: range | None,
    own_data: list[str] | None,
    training: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> dict[str, Any]:
    """What is known of a training.

    :param preset: "default" or "prior-alone", see :mod:`petkinetics.training.diffusion_prior`.
    :param seeds: of the simulated patients, which every training of the prior has.
    :param own_data: names of own static PET beside them; None where there was none.
    :param training: steps, hours, stages; *metrics*: on validation patients.
    """
    data = {"anatomies": ANATOMY_SHARES, "slab_slices": SLAB_SLICES, "t_star_min": list(T_STARS_MIN)}
    parts = {
        "ranges": {
            "noise_of_the_prior": [LEAST_LEVEL, MOST_LEVEL],
            "noise_of_measured_ki": list(MEASURED_LEVELS),
            "noise_fwhm_mm": list(NOISE_FWHM_MM),
            "unit_of_noise": "99th percentile of the smoothed image in the body",
        },
        "architecture": {"widths": list(WIDTHS), "blocks": list(BLOCKS), "slices": SLICES},
        "training": dict(training),
    }
    return whole_card(
        {"name": "diffusion-prior", "network": "score network", "preset": preset},
        "simulated patients" if own_data is None else "own static PET beside simulated patients",
        data_part(seeds, data, own_data),
        parts,
        metrics,
        (SIMULATED_ONLY if own_data is None else _BESIDE_OWN, *KNOWN_FAILURES, *_FAILURES_OF_A_PRIOR),
    )
