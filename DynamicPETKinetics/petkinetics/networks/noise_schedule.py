"""Continuous noise levels: how a denoiser is scaled at each.

x = x0 + sigma n with n of unit variance. The network F is scaled as Karras et al. (NeurIPS 2022, "EDM") do,

    D(x) = c_skip x + c_out F(c_in x),
    c_in = 1 / sqrt(sigma^2 + d^2),  c_skip = d^2 c_in^2,  c_out = sigma d c_in,

with d the SD of the images. With d cos(phi) x0/d ... written in angles, tan(phi) = sigma / d, F is minus the
velocity cos(phi) n - sin(phi) x0/d of Salimans & Ho (ICLR 2022): this is velocity prediction for any sigma.
The score of the noisy images is (D(x) - x) / sigma^2 (Tweedie).
"""

from __future__ import annotations

from typing import Any

#: SD of the normalised images, d
IMAGE_SD = 0.5
#: noise levels that the prior is trained for, in units of the images' contrast
LEAST_LEVEL, MOST_LEVEL = 0.004, 20.0


def input_scale(sigma: Any) -> Any:
    """c_in (Karras et al. 2022, table 1, "EDM"), of the shape of *sigma*.

    :param sigma: noise level in the images' unit: a number, an array or a tensor, as in the functions below.
    """
    return (sigma**2 + IMAGE_SD**2) ** -0.5


def skip_scale(sigma: Any) -> Any:
    """c_skip (Karras et al. 2022, table 1), of the shape of *sigma*: how much of the noisy image is passed on."""
    return IMAGE_SD**2 / (sigma**2 + IMAGE_SD**2)


def output_scale(sigma: Any) -> Any:
    """c_out (Karras et al. 2022, table 1), of the shape of *sigma*: the size of the network's correction."""
    return sigma * IMAGE_SD * input_scale(sigma)
