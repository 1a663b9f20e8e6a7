"""Files that appear all together or not at all.

Work goes into a private folder ``.petkinetics-*`` beside its destination and takes the destination's
name in one step when it is complete. What a killed process left there the next start removes (see
:mod:`petkinetics.write.claims`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from petkinetics.errors import InputError, ResourceError
from petkinetics.write.claims import ClaimedFolder, remove_abandoned

#: folders being filled, for whoever has to end the process at once
_unfinished: set[ClaimedFolder] = set()


def discard_unfinished() -> None:
    """Remove every folder that is being filled: the last act before a process is ended at once."""
    for claimed in list(_unfinished):
        claimed.release()


@contextmanager
def staged_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside *out* that takes its name when the block ends without an exception.

    :raises InputError: *out* exists already, or cannot be made there.
    :raises ResourceError: the disk is full, or the temporary folder was removed meanwhile.
    """
    if out.exists() or out.is_symlink():
        raise InputError(f"'{out}' exists already; a result is never overwritten.", "Choose another output folder.")
    with _staging(out.absolute().parent, out) as staging:
        yield staging
        # It was private while it was filled; the result is as accessible as any folder the user makes.
        staging.chmod(0o777 & ~_umask())
        staging.rename(out)


@contextmanager
def staged_files(to: Path, names: Sequence[str]) -> Iterator[Path]:
    """A temporary folder whose files move into *to* when the block ends without an exception.

    A folder *to* that does not exist yet appears in one step; into one that exists the files move one
    by one, each complete.

    :param names: the files that the block will write; none may be in *to* already.
    :raises InputError: one of the files is there already, or *to* cannot be written.
    :raises ResourceError: the disk is full, or the temporary folder was removed meanwhile.
    """
    if to.exists() and not to.is_dir():
        raise InputError(f"'{to}' is a file, not a folder.", "Choose another folder to write to.")
    present = [name for name in names if (to / name).exists()]
    if present:
        raise InputError(
            f"'{to}' already holds {', '.join(present)}.", "Choose another folder, or move the earlier files away."
        )
    if not to.exists():
        with staged_folder(to) as staging:
            yield staging
        return
    moved: list[Path] = []
    with _staging(to.absolute(), to) as staging:
        yield staging
        try:
            for name in names:
                (staging / name).rename(to / name)
                moved.append(to / name)
        except BaseException:
            for path in moved:
                path.unlink(missing_ok=True)
            raise


@contextmanager
def _staging(parent: Path, destination: Path) -> Iterator[Path]:
    """A private, claimed folder in *parent*, gone at the end unless it was renamed; OS errors in words."""
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    claimed: ClaimedFolder | None = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(parent)
        claimed = ClaimedFolder.make(parent)
        _unfinished.add(claimed)
        yield claimed.path
    except OSError as error:
        raise _in_words(_of_the_system(error), destination, claimed) from error
    finally:
        if claimed is not None:
            claimed.release()
            _unfinished.discard(claimed)
        if not destination.exists():
            for folder in made:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _of_the_system(error: OSError) -> OSError:
    """The error with a number that a library has wrapped; pydicom raises one without, whose text is a stack trace."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.errno is not None:
            return inner
        inner = inner.__cause__ or inner.__context__
    return error


def _in_words(error: OSError, destination: Path, claimed: ClaimedFolder | None) -> InputError | ResourceError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ResourceError(f"The disk of '{destination}' is full; nothing was written.", "Free some space.")
    if claimed is not None and not claimed.path.exists():
        return ResourceError(f"The folder in which '{destination}' was being written was removed; nothing was written.")
    about = Path(str(error.filename)) if error.filename else None
    ours = destination.absolute().parent
    if about is not None and claimed is not None and ours not in about.absolute().parents and about.absolute() != ours:
        return InputError(f"'{about.name}' cannot be read ({error.strerror or error}); nothing was written.")
    return InputError(
        f"'{destination}' cannot be written ({error.strerror or error}); nothing was written.", "Choose another folder."
    )
