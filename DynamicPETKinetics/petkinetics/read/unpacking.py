"""Packed voxels: unpacked with the fastest library there is; what goes wrong on the way is said."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from petkinetics.errors import InputError, ResourceError


@contextmanager
def unpacking(path: Path, at: int = 0, *, packed: bool = True) -> Iterator[BinaryIO]:
    """The bytes of a file from *at* on, on their way into a temporary file.

    :param packed: they are a gzip stream, and come unpacked.
    :raises InputError: the file is truncated or damaged.
    :raises ResourceError: the temporary file cannot be written.
    """
    try:
        with path.open("rb") as file:
            file.seek(at)
            yield _gzip_stream(file) if packed else file
    except _damage() as error:
        raise InputError(f"{path.name} is truncated or damaged; copy it again from its source.") from error
    except OSError as error:
        raise ResourceError(
            f"{path.name} could not be unpacked: {error.strerror or error}.",
            "Free some space in the folder for temporary files.",
        ) from error


def _gzip_stream(file: BinaryIO) -> BinaryIO:
    try:
        from isal import igzip
    except ImportError:
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    return igzip.IGzipFile(fileobj=file)


def _damage() -> tuple[type[Exception], ...]:
    """What is raised when a packed file ends early or its bytes are wrong."""
    errors: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, zlib.error)
    try:
        from isal.isal_zlib import IsalError
    except ImportError:
        return errors
    return (*errors, cast("type[Exception]", IsalError))
