"""By what a file is known again that names no series: its header and the sidecar beside it, not its name."""

from __future__ import annotations

from pathlib import Path

from petkinetics.read.unpacking import unpacking

#: a header that says it is longer is damaged, and would have the whole file read
_LONGEST_HEADER = 1 << 20


def fingerprint(path: Path, header_bytes: int, sidecar: Path | None = None) -> str:
    """SHA-256 over the first bytes of a file and the whole of its sidecar, in hexadecimal.

    Cheap: no voxel is read. Names of files and folders do not count, since they may name a patient and change when
    a file is copied; packed and unpacked copies of a file have the same fingerprint.

    :param header_bytes: of the file, after unpacking where its name ends in ``.gz``.
    :raises InputError: the file is truncated or damaged.
    """
    # Imported here: OpenSSL's library takes some milliseconds that other commands need not spend.
    import hashlib

    with unpacking(path, packed=path.suffix == ".gz") as stream:
        digest = hashlib.sha256(stream.read(min(max(header_bytes, 0), _LONGEST_HEADER)))
    if sidecar is not None:
        digest.update(sidecar.read_bytes())
    return digest.hexdigest()
