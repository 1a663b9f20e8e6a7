"""What the tables of a study call things: the usual world, the input functions, the methods that gates speak of."""

from __future__ import annotations

#: the world of a scan in which nothing is changed
USUAL = "usual"
#: where the input function comes from: the aorta region of the noisy images, or the simulation
AORTA, TRUE_CURVE = "aorta ROI", "true curve"
INPUTS = (AORTA, TRUE_CURVE)

#: weighted Patlak of the scan that is judged, and of the noisy full scan
PATLAK, PATLAK_OF_FULL_SCAN = "patlak", "patlak (full scan)"
#: methods with weights trained on simulated patients, by their names in :data:`petkinetics.estimators.METHODS`
KINETIC_NETWORK, DIRECT_NETWORK, DIFFUSION_PRIOR = "kinetic-network", "direct-network", "diffusion-prior"
LEARNED = (KINETIC_NETWORK, DIRECT_NETWORK, DIFFUSION_PRIOR)
