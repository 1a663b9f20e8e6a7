"""Telling folders that a running process fills from those that a dead one left behind.

A claim is a file beside the folder (``.petkinetics-x.claim`` for ``.petkinetics-x``) that its process
keeps locked. The system drops the lock however the process ends, be it killed.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PREFIX = ".petkinetics-"
_SUFFIX = ".claim"
#: a folder without a claim this long after it was made has lost it
_UNCLAIMED_S = 60.0
_ATTEMPTS = 10


@dataclass(frozen=True)
class ClaimedFolder:
    """A private folder of this process.

    :param path: of the folder.
    """

    path: Path
    _claim: Path
    _handle: int

    @classmethod
    def make(cls, parent: Path) -> ClaimedFolder:
        """Make a folder in *parent* that only this user may enter.

        :raises OSError: *parent* cannot be written.
        """
        for _ in range(_ATTEMPTS):
            handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=_SUFFIX, dir=parent)
            claim = Path(name)
            made = cls(claim.with_suffix(""), claim, handle)
            try:
                # Between making and locking, another start may have taken the claim for abandoned.
                if _lock(handle) and claim.exists():
                    made.path.mkdir(mode=0o700)
                    return made
            except BaseException:
                made.release()  # cancelled here: on a busy network disk this takes a while
                raise
            os.close(handle)
        raise OSError(errno.EAGAIN, "a file in the folder cannot be locked", str(parent))

    def release(self) -> None:
        """Remove what is still there, and the claim."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._handle)
        self._claim.unlink(missing_ok=True)


def remove_abandoned(parent: Path) -> None:
    """Remove the folders in *parent* that no process fills any more; what cannot be removed stays."""
    for claim in parent.glob(f"{PREFIX}*{_SUFFIX}"):
        with suppress(OSError):
            handle = os.open(claim, os.O_RDWR)
            abandoned = _lock(handle)
            os.close(handle)
            if abandoned:
                shutil.rmtree(claim.with_suffix(""), ignore_errors=True)
                claim.unlink(missing_ok=True)
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            claimed = folder.suffix == _SUFFIX or folder.with_name(folder.name + _SUFFIX).exists()
            if not claimed and folder.is_dir() and time.time() - folder.stat().st_mtime > _UNCLAIMED_S:
                shutil.rmtree(folder, ignore_errors=True)


def _lock(handle: int) -> bool:
    """Lock an open file for this process alone; False where another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
