"""A series on disk that keeps the worker busy, and a record of what a background process told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from background.plain_loop import PlainLoop
from petkinetics.frames import FrameTiming
from petkinetics.job import EstimateJob
from petkinetics.series import DynamicSeries, Tracer, VolumeGeometry
from sequence_files import write_sequence

FDG = Tracer("Fluorodeoxyglucose F18", "F-18", 6586.2)
#: an hour and five minutes in few frames
FRAMES = FrameTiming.parse("3x20,4x60,12x300")
SMALL, LONG = (6, 24, 24), (96, 192, 192)


class NoisyVoxels:
    """A box of tissue that traps the tracer, with noise; made slab by slab, the same at every reading."""

    def __init__(self, shape: tuple[int, int, int], timing: FrameTiming = FRAMES) -> None:
        self.shape = (len(timing), *shape)
        rng = np.random.default_rng(5)
        self._noise = rng.standard_normal(shape[1:], dtype=np.float32)
        self._level = [float(2.0 + 0.1 * (start + 30.0) / 60.0) for start in timing.start_s]
        inside = np.zeros(shape[1:], dtype=np.float32)
        inside[shape[1] // 8 : -shape[1] // 8, shape[2] // 8 : -shape[2] // 8] = 1.0
        self._inside = inside

    def read(
        self, frames: Any, first_slice: int, last_slice: int, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        slab = np.empty((len(frames), last_slice - first_slice, *self.shape[2:]), dtype=np.float32)
        for i, frame in enumerate(frames):
            for k in range(first_slice, last_slice):
                noise = np.roll(self._noise, 17 * frame + 5 * k)
                slab[i, k - first_slice] = self._inside * (self._level[frame] + 0.3 * noise)
        if out is not None:
            out[:] = slab
            return out
        return slab


def noisy_series(shape: tuple[int, int, int] = SMALL, timing: FrameTiming = FRAMES) -> DynamicSeries:
    geometry = VolumeGeometry(shape, (4.0, 4.0, 4.0), (-40.0, -40.0, -20.0))
    return DynamicSeries(timing, geometry, FDG, NoisyVoxels(shape, timing), injected_activity_mbq=300.0, weight_kg=70.0)


def save_series(folder: Path, shape: tuple[int, int, int] = SMALL) -> Path:
    """``pet.seq.nrrd``, and ``blood.tsv`` beside it."""
    path = folder / "pet.seq.nrrd"
    write_sequence(noisy_series(shape), path)
    save_blood(folder / "blood.tsv")
    return path


def save_blood(path: Path) -> None:
    minutes = np.concatenate([np.arange(0.0, 3.0, 0.1), np.arange(3.0, 71.0)])
    blood = 60.0 * np.exp(-(((minutes - 0.7) / 0.3) ** 2)) + 8.0 * np.exp(-0.01 * minutes) * (minutes > 0.5)
    rows = [f"{60.0 * t:.1f}\t{value:.5f}\t{value:.5f}" for t, value in zip(minutes, blood, strict=True)]
    path.write_text(
        "\n".join(["time\twhole_blood_radioactivity\tplasma_radioactivity", *rows]) + "\n", encoding="utf-8"
    )


def estimate(series: Path, output: Path, **changes: Any) -> EstimateJob:
    said: dict[str, Any] = {"input_function": str(series.parent / "blood.tsv"), "compress": False} | changes
    return EstimateJob(series=str(series), output=str(output), **said)


class Told:
    """What a WorkerProcess, or a run, told: ``told.done == [(path,)]``."""

    def __init__(self, source: Any) -> None:
        self.order: list[str] = []
        for name in ("progressed", "warned", "logged", "done", "finished", "failed", "cancelled"):
            signal = getattr(source, name, None)
            setattr(self, name, [])
            if signal is not None:
                signal.connect(self._recorder(name))

    def _recorder(self, name: str) -> Any:
        def record(*args: Any) -> None:
            self.order.append(name)
            getattr(self, name).append(args)

        return record

    @property
    def ends(self) -> list[str]:
        return [name for name in self.order if name in ("done", "finished", "failed", "cancelled")]

    def wait(self, loop: PlainLoop, seconds: float = 60.0) -> str:
        """How it ended; a while longer, so that a second end would be seen."""
        loop.until(lambda: self.ends, seconds)
        for _ in range(20):
            loop.turn()
        assert len(self.ends) == 1, self.ends
        return self.ends[0]


def alive(pid: int) -> bool:
    """Whether a process runs (one that ended and waits to be reaped does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
