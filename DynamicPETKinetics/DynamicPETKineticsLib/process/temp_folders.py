"""Temporary folders of runs: private, without a patient's name in theirs, gone at the end, also after a crash."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

from DynamicPETKineticsLib.translation import _
from petkinetics.errors import ResourceError
from petkinetics.write.claims import ClaimedFolder, remove_abandoned

_MOST_FREED_BYTES = 1 << 26


class TempFolders:
    """The temporary folders of one session.

    Each lies in a folder that only this user may enter and whose name is random. A file beside that one is
    kept locked by this process: the system drops the lock however the process ends, so the next session tells
    a crashed one's leftovers from a living one's, also where the dead one's process number is in use again.

    :param base: finds the folder that holds them; asked at the first use. The system's by default.
    """

    def __init__(self, base: Callable[[], Path] | None = None) -> None:
        self._base = base or (lambda: Path(tempfile.gettempdir()))
        self._claimed: dict[Path, ClaimedFolder] = {}

    def make(self, what: str) -> Path:
        """A new empty folder, mode 0700.

        :param what: its last name, such as "estimate": says what it is for, nothing about whom.
        :raises ResourceError: it cannot be made.
        """
        base = self._base()
        try:
            base.mkdir(parents=True, exist_ok=True)
            claimed = ClaimedFolder.make(base)
            path = claimed.path / what
            self._claimed[path] = claimed
            path.mkdir(mode=0o700)
        except OSError as error:
            raise ResourceError(
                _("No temporary folder can be made ({reason}).").format(reason=error.strerror or type(error).__name__),
                _("Free some space, or choose another temporary folder in the application settings."),
            ) from error
        return path

    def remove(self, path: Path) -> None:
        """Remove a folder with all that is in it; one that is gone already is no error."""
        claimed = self._claimed.pop(path, None)
        if claimed is not None:
            claimed.release()

    def remove_steps(self, path: Path) -> Generator[float, None, None]:
        """Remove a folder a little at a time, as work for :class:`~DynamicPETKineticsLib.process.steps.Steps`.

        Half a gigabyte takes the file system a tenth of a second or more; large files are shortened first.
        """
        try:
            for file in [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]:
                yield from _shorten_steps(file)
        except OSError:
            pass
        finally:
            self.remove(path)

    def remove_all(self) -> None:
        """Remove every folder of this session."""
        for path in list(self._claimed):
            self.remove(path)

    def remove_stale(self) -> None:
        """Remove what sessions that crashed left behind; what a living one uses, or cannot be removed, stays."""
        base = self._base()
        if base.is_dir():
            remove_abandoned(base)


def _shorten_steps(file: Path) -> Generator[float, None, None]:
    size = file.stat().st_size
    while size > _MOST_FREED_BYTES:
        size -= _MOST_FREED_BYTES
        os.truncate(file, size)
        yield 0.5
