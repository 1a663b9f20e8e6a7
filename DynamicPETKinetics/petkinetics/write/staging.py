"""Files that appear all together or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from petkinetics.errors import InputError, ResourceError

#: folders being filled, for whoever has to end the process at once
_unfinished: set[Path] = set()


def discard_unfinished() -> None:
    """Remove every folder that is being filled: the last act before a process is ended at once."""
    for folder in list(_unfinished):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def staged_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside *out* that takes its name when the block ends without an exception.

    :raises InputError: *out* exists already, or cannot be made there.
    :raises ResourceError: the disk is full.
    """
    if out.exists() or out.is_symlink():
        raise InputError(f"'{out}' exists already; a result is never overwritten.", "Choose another output folder.")
    made = [folder for folder in out.absolute().parents if not folder.exists()]
    staging: Path | None = None
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".petkinetics-", dir=out.absolute().parent))
        _unfinished.add(staging)
        yield staging
        # mkdtemp made it private; the result is as accessible as any folder the user makes.
        staging.chmod(0o777 & ~_umask())
        staging.rename(out)
    except BaseException as error:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if isinstance(error, OSError):
            raise _in_words(error, out) from error
        raise
    finally:
        if staging is not None:
            _unfinished.discard(staging)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def staged_files(to: Path, names: Sequence[str]) -> Iterator[Path]:
    """A temporary folder whose files move into *to* when the block ends without an exception.

    :param to: folder, made if it is not there; other files in it stay.
    :param names: the files that the block will write; none may be in *to* already.
    :raises InputError: one of the files is there already, or *to* cannot be written.
    :raises ResourceError: the disk is full.
    """
    if to.exists() and not to.is_dir():
        raise InputError(f"'{to}' is a file, not a folder.", "Choose another folder to write to.")
    present = [name for name in names if (to / name).exists()]
    if present:
        raise InputError(
            f"'{to}' already holds {', '.join(present)}.", "Choose another folder, or move the earlier files away."
        )
    made = [folder for folder in (to, *to.parents) if not folder.exists()]
    staging: Path | None = None
    moved: list[Path] = []
    try:
        to.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".petkinetics-", dir=to))
        _unfinished.add(staging)
        yield staging
        for name in names:
            (staging / name).rename(to / name)
            moved.append(to / name)
        staging.rmdir()
    except BaseException as error:
        for path in moved:
            path.unlink(missing_ok=True)
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            if folder.is_dir():
                folder.rmdir()
        if isinstance(error, OSError):
            raise _in_words(error, to) from error
        raise
    finally:
        if staging is not None:
            _unfinished.discard(staging)


def _in_words(error: OSError, to: Path) -> InputError | ResourceError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"The disk of '{to}' is full; nothing was written.", "Free some space and try again.")
    return InputError(
        f"'{to}' cannot be written ({error.strerror or error}); nothing was written.", "Choose another folder."
    )
