"""The header of a NRRD file: its text fields, its key/value pairs, and where its voxels begin.

SimpleITK reads NRRD images, but whole, and without the offset of the voxels, the order of a list
axis or its label; series are read in slabs, so the few lines of text are read here
(teem.sourceforge.net/nrrd/format.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
#: signs that bring a space's axes to LPS
_SPACES = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
#: a header longer than this is none
_LONGEST_HEADER = 1 << 24


@dataclass(frozen=True)
class NrrdHeader:
    """What a NRRD header says.

    :param name: of the file, for messages.
    :param fields: "sizes", "space directions" ...; names in lower case.
    :param pairs: the key/value pairs.
    :param voxels_at: offset of the (possibly compressed) voxels.
    """

    name: str
    fields: dict[str, str]
    pairs: dict[str, str]
    voxels_at: int

    @classmethod
    def read(cls, path: Path) -> NrrdHeader:
        """Read a header.

        :raises InputError: the file is missing, is no NRRD, or keeps its voxels in another file.
        """
        if not path.is_file():
            raise InputError(f"There is no file {path.name}.")
        fields: dict[str, str] = {}
        pairs: dict[str, str] = {}
        with path.open("rb") as stream:
            if not stream.readline(64).startswith(b"NRRD000"):
                raise InputError(f"{path.name} is not a NRRD file.", "Copy it again from its source.")
            while True:
                line = stream.readline(_LONGEST_HEADER)
                if not line.endswith(b"\n") or stream.tell() > _LONGEST_HEADER:
                    raise InputError(
                        f"{path.name} is truncated: it ends within its header.", "Copy it again from its source."
                    )
                text = line.decode("utf-8", "replace").rstrip("\r\n")
                if not text:
                    break
                if text.startswith("#"):
                    continue
                key, is_pair, value = text.partition(":=")
                if is_pair:
                    pairs[key] = value.replace("\\n", "\n").replace("\\\\", "\\")
                    continue
                name, _, value = text.partition(":")
                fields[name.strip().lower()] = value.strip()
            at = stream.tell()
        if {"data file", "datafile"} & fields.keys():
            raise InputError(
                f"{path.name} is a header whose voxels are in another file, which is not supported.",
                "Save it as one .nrrd file.",
            )
        if any(fields.get(skip, "0") != "0" for skip in ("line skip", "lineskip", "byte skip", "byteskip")):
            raise InputError(f"{path.name} skips bytes before its voxels, which is not supported.", "Save it again.")
        return cls(path.name, fields, pairs, at)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of samples along each axis, the fastest first.

        :raises InputError: they are missing or impossible.
        """
        try:
            found = tuple(int(n) for n in self.fields["sizes"].split())
        except (KeyError, ValueError) as error:
            raise InputError(f"{self.name} does not state its sizes.") from error
        if not found or min(found) < 1:
            raise InputError(f"{self.name} has impossible sizes ({self.fields['sizes']}).")
        return found

    @property
    def dtype(self) -> np.dtype[Any]:
        """numpy's type of a voxel as stored.

        :raises InputError: another type than whole numbers and floats.
        """
        wanted = self.fields.get("type", "").lower()
        kind = next((k for k, names in _TYPES.items() if wanted in names), None)
        if kind is None:
            raise InputError(f"{self.name} has voxels of the type '{wanted}', which is not supported.")
        order = ">" if self.fields.get("endian", "little").lower() == "big" else "<"
        return np.dtype(order + kind)

    @property
    def compressed(self) -> bool:
        """Whether the voxels are packed by gzip.

        :raises InputError: another encoding than raw and gzip.
        """
        encoding = self.fields.get("encoding", "").lower()
        if encoding not in ("raw", "gzip", "gz"):
            raise InputError(
                f"{self.name} is stored with the encoding '{encoding}', which is not supported.",
                "Save it uncompressed, or compressed by gzip.",
            )
        return encoding != "raw"

    @property
    def list_axis(self) -> int | None:
        """The axis without a direction in space; None where every axis has one.

        :raises InputError: there are several.
        """
        found = [i for i, direction in enumerate(self._directions()) if direction is None]
        if len(found) > 1:
            raise InputError(f"{self.name} has {len(found)} axes that are not in space.")
        return found[0] if found else None

    def words(self, field: str) -> list[str]:
        """The quoted words of a field such as labels, one an axis; empty where it is missing."""
        return re.findall(r'"((?:[^"\\]|\\.)*)"', self.fields.get(field, ""))

    def _directions(self) -> list[NDArray[np.float64] | None]:
        text = self.fields.get("space directions", "")
        found: list[NDArray[np.float64] | None] = []
        for part in re.findall(r"\([^)]*\)|none", text):
            found.append(None if part == "none" else np.array([float(v) for v in part[1:-1].split(",")]))
        if len(found) != len(self.sizes):
            raise InputError(
                f"{self.name} does not state where its voxels lie (space directions).",
                "Save it from a program that keeps the position in space.",
            )
        return found

    def geometry(self) -> VolumeGeometry:
        """The voxel grid of the three axes in space.

        :raises InputError: there are not three of them, or their orientation is not stated.
        """
        space = self.fields.get("space", "").lower()
        if space not in _SPACES:
            raise InputError(
                f"{self.name} does not state the orientation of its axes (space: '{space}').",
                "left-posterior-superior or right-anterior-superior is expected.",
            )
        try:
            directions = self._directions()
            origin = [float(v) for v in self.fields.get("space origin", "").strip("() ").split(",")]
        except ValueError as error:
            raise InputError(f"{self.name} has no valid position in space.") from error
        axes = [d for d in directions if d is not None]
        sizes = [n for n, d in zip(self.sizes, directions, strict=True) if d is not None]
        if len(axes) != 3 or len(origin) != 3 or any(a.size != 3 for a in axes):
            raise InputError(f"{self.name} is not a volume in space: {len(axes)} of its axes have a direction.")
        matrix = np.array(_SPACES[space])[:, None] * np.stack(axes, axis=1)
        spacing = np.linalg.norm(matrix, axis=0)
        if not (spacing > 0).all():
            raise InputError(f"{self.name} has an axis without a length.")
        return VolumeGeometry(
            sizes[::-1], spacing.tolist(), (np.array(_SPACES[space]) * origin).tolist(), matrix / spacing
        )
