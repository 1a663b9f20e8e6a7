"""The floor of a path other than Patlak: its bytes in, its bytes out, with numpy and nothing else.

Reads every file once and writes as many bytes as the path leaves, in pieces of 16 MiB.

    python floor_bytes.py BYTES_TO_WRITE OUT FILE_OR_FOLDER [FILE_OR_FOLDER ...] [--last BYTES]

--last reads only so many bytes at the end of each file (a fit of the last frames needs no others).
"""

import argparse
from pathlib import Path

import numpy as np

_PIECE = 1 << 24

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--last", type=int, default=0)
    given = parser.parse_args()
    files = [f for s in given.sources for f in (sorted(s.rglob("*")) if s.is_dir() else [s]) if f.is_file()]
    highest = 0
    for file in files:
        with file.open("rb") as source:
            source.seek(max(0, file.stat().st_size - given.last) if given.last else 0)
            while (piece := np.fromfile(source, np.uint8, _PIECE)).size:
                # The largest value touches every byte, so that nothing is left unread.
                highest = max(highest, int(piece.max()))
    block = np.full(_PIECE, highest, np.uint8)
    with given.out.open("wb") as target:
        for begin in range(0, given.count, _PIECE):
            block[: given.count - begin].tofile(target)
