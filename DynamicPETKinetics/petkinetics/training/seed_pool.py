"""A folder of simulated patients, one file or subfolder a seed, made when it is first wanted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path


class SeedPool(ABC):
    """What both kinds of training patients have in common.

    :param folder: made when missing.
    :param seeds: of the patients, in this order.
    """

    def __init__(self, folder: Path, seeds: range) -> None:
        self.folder, self.seeds = folder, seeds
        folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def path(self, seed: int) -> Path:
        """Where a patient is, or will be."""

    @abstractmethod
    def is_complete(self, path: Path) -> bool:
        """Whether the patient at *path* can be read."""

    @abstractmethod
    def make(self, seed: int) -> None:
        """Simulate a patient and save it at its path."""

    def ready(self) -> list[Path]:
        """Patients that can be read now."""
        return [path for path in map(self.path, self.seeds) if self.is_complete(path)]

    def fill(self) -> Iterator[int]:
        """Simulate what is missing, yielding each seed when it is there."""
        for seed in self.seeds:
            if not self.is_complete(self.path(seed)):
                self.make(seed)
                yield seed

    def fill_watched(self, what: str, show: bool) -> None:
        """Simulate what is missing, with a bar that says so.

        :param what: such as "validation patients".
        """
        from tqdm import tqdm

        missing = len(self.seeds) - len(self.ready())
        for _ in tqdm(self.fill(), total=missing, desc=f"Simulating {what}", disable=not show or not missing):
            pass
