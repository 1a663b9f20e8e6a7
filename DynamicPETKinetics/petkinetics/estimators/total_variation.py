"""Total variation on the Patlak problem: Ki and V0 of all voxels fitted together.

    minimise over (Ki, V0):  1/2 sum of squares of the frames' residuals / their variance
                             + strength * l * sum over voxels of |gradient of (t1, t2)|

in the images t = L^-1 (Ki, V0) whose noise is independent and equal (see
:mod:`petkinetics.estimators.regularised`). The penalty is the joint (vectorial) total variation of
Rudin, Osher & Fatemi (Physica D 1992;60:259), its edges shared by the two images: it does not depend on
how t is turned, so no weight between slope and intercept has to be chosen. l is the correlation length
of the noise in units of the finest voxel side, since noise in larger grains takes more to level.
"""

from __future__ import annotations

import numpy as np

from petkinetics.estimators.estimator import Problem, Progress
from petkinetics.estimators.joint_total_variation import minimise
from petkinetics.estimators.regularised import PatlakImages, Regularised, RegularisedPatlak

_TOLERANCE = 2e-3


class TotalVariationPatlak(RegularisedPatlak):
    """Strength is lambda in noise SDs, a correlation length.

    There is no formula for the SD of a total-variation estimate, so there are no SD maps.
    """

    method = "total-variation"
    strength_meaning = "lambda in units of noise SD times its correlation length"
    law = (0.89, 0.22)

    def regularise(self, images: PatlakImages, strength: float, problem: Problem, progress: Progress) -> Regularised:  # noqa: ARG002
        """See :class:`RegularisedPatlak`."""
        noise = np.float32(np.sqrt(images.typical_scale))
        finest = min(images.spacing_mm)
        z, y, x = (finest / step for step in images.spacing_mm)
        found = minimise(
            images.values / noise,
            noise**2 / images.scale,
            strength * images.correlation.length_mm / finest,
            (z, y, x),
            _TOLERANCE,
            watch=lambda done: progress(done, "Minimising total variation"),
        )
        record = {"iterations": found.iterations, "relative_duality_gap": found.relative_gap}
        return Regularised(found.values * noise, None, record)
