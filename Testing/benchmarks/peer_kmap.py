"""KMAP's two-tissue fit, built from a checkout of KMAP-C (https://github.com/ShareKM/KMAP-C, MIT licence).

KMAP is made for MATLAB; two headers that stand in for MATLAB's and one function that calls its
Levenberg-Marquardt fit voxel by voxel, in threads as its own parallel program does, let it be built with a C++
compiler alone. Nothing of it is kept here.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming

Float64 = NDArray[np.float64]

_SOURCES = ("kmaplib_common.cpp", "kmaplib_models.cpp", "kmaplib_optimization.cpp", "kmaplib_infun.cpp")
_HEADER = """#pragma once
#include <cstring>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#define printf(...) 0
"""
_CALL = """
#include "kmaplib.h"
extern "C" void fit_voxels(double *tac, double *weight, double *frames, double *plasma, double *blood, int frame_count,
                           int voxels, double *parameters, double *lower, double *upper, int *fitted, int iterations) {
  KMODEL_T model;
  model.dk = 0; model.td = 1.0; model.cp = plasma; model.wb = blood; model.num_frm = frame_count; model.num_vox = 1;
  model.scant = frames; model.tacfunc = kconv_2tcm_tac; model.jacfunc = kconv_2tcm_jac;
  #pragma omp parallel
  {
    double *curve = (double *) malloc(sizeof(double) * frame_count);
    #pragma omp for schedule(dynamic, 16)
    for (int voxel = 0; voxel < voxels; ++voxel)
      kmap_levmar(tac + (size_t) voxel * frame_count, weight, frame_count, parameters + (size_t) voxel * 6, 6, &model,
                  tac_eval, jac_eval, lower, upper, fitted, iterations, curve);
    free(curve);
  }
}
"""
#: fv, K1, k2, k3, k4, delay: KMAP's order; where its parametric images start, and bounds
_START = (0.1, 0.1, 0.1, 0.1, 0.0, 0.0)
_UPPER = (1.0, 2.0, 3.0, 0.5, 0.5, 20.0)
_FITTED = (1, 1, 1, 1, 0, 0)
_ITERATIONS = 100


class Kmap:
    """KMAP's fit, built in a folder of its own.

    :param checkout: of KMAP-C, with its ``src``.
    :param folder: for the library.
    """

    def __init__(self, checkout: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("mex.h", "matrix.h"):
            (folder / name).write_text(_HEADER, encoding="utf-8")
        (folder / "call.cpp").write_text(_CALL, encoding="utf-8")
        library = folder / "libkmap.so"
        sources = [folder / "call.cpp", *(checkout / "src" / name for name in _SOURCES)]
        command = ["c++", "-O3", "-fPIC", "-shared", f"-I{folder}", f"-I{checkout / 'src'}", "-include", "cstring"]
        # Apple's compiler knows no OpenMP: one thread there.
        threads = [] if sys.platform == "darwin" else ["-fopenmp"]
        subprocess.run([*command, *threads, *map(str, sources), "-o", str(library)], check=True)
        self._library = ctypes.CDLL(str(library))

    def fit(
        self, curve: InputFunction, timing: FrameTiming, weights: Float64, voxels: Float64
    ) -> tuple[Float64, float]:
        """Ki of voxels, (voxels, frames), and the processor seconds a voxel took."""
        second = np.arange(int(timing.end_s[-1])) + 0.5
        plasma, blood = curve.plasma_at(second), curve.whole_blood_at(second)
        values = np.ascontiguousarray(voxels, dtype=np.float64)
        weight = np.ascontiguousarray(weights / weights.sum())
        frames = np.concatenate([timing.start_s, timing.end_s])
        parameters = np.tile(np.array(_START), (len(values), 1))
        arrays = [values, weight, frames, plasma, blood]
        bounds = [np.zeros(6), np.array(_UPPER), np.array(_FITTED, dtype=np.int32)]
        began = time.process_time()
        self._library.fit_voxels(
            *(a.ctypes.data_as(ctypes.c_void_p) for a in arrays),
            values.shape[1],
            len(values),
            parameters.ctypes.data_as(ctypes.c_void_p),
            *(a.ctypes.data_as(ctypes.c_void_p) for a in bounds),
            _ITERATIONS,
        )
        seconds = (time.process_time() - began) / len(values)
        fv, k1, k2, k3 = parameters[:, :4].T
        total = np.maximum(k2 + k3, 1e-12)
        return (1.0 - fv) * k1 * k3 / total, seconds
