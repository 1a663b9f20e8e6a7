"""A scan without noise: blurred frames of a painted body, and Patlak's maps of the reference window."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import ResponseTable
from petkinetics.kinetics.patlak import patlak_design, plot_weights, weighted_fit
from petkinetics.simulate.body import FDG, PATLAK_WINDOW_MIN, PaintedBody

Float32 = NDArray[np.float32]


def reference_frames() -> FrameTiming:
    """The frames of liang2023 from 9 to 65 min."""
    paper = FrameTiming.parse("liang2023")
    return paper.select(paper.window(*PATLAK_WINDOW_MIN))


def noise_free_frames(
    painted: PaintedBody, curve: InputFunction, timing: FrameTiming, blur: Callable[[Float32], Float32]
) -> tuple[Float32, Float32, Float32]:
    """Blurred frames, and slope and intercept of Patlak over the reference frames, blurred likewise.

    Patlak's fit is linear in the frames and so is the blur: blurring its maps equals fitting blurred frames.

    :param blur: turns a sharp volume into what the scanner shows, see :class:`petkinetics.simulate.scanner.Blur`.
    :returns: frames (frames, slices, rows, columns) in kBq/mL, slope, intercept.
    """
    decay = FDG.decay_per_s
    reference = reference_frames()
    table = ResponseTable(curve, timing, decay)
    reference_table = ResponseTable(curve, reference, decay)
    design = patlak_design(curve, reference, decay)
    solution = weighted_fit(design, plot_weights(reference, design, decay)).solution.astype(np.float32)
    shape = painted.geometry.shape
    frames = np.zeros((len(timing), *shape), dtype=np.float32)
    patlak = np.zeros((2, *shape), dtype=np.float32)
    p = painted.parameters

    def fill(k: int) -> None:
        inside = painted.labels[k] > 0
        values = [m[k][inside] for m in (p.k1, p.k2, p.k3, p.k4, p.fv)]
        frames[:, k][:, inside] = table.two_tissue(*values).T
        patlak[:, k][:, inside] = solution @ reference_table.two_tissue(*values).T

    def blur_in_place(volume: Float32) -> None:
        volume[...] = blur(volume)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(shape[0])))
        list(pool.map(blur_in_place, [*frames, *patlak]))
    return frames, patlak[0], patlak[1]
