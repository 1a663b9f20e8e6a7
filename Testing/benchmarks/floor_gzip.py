"""The floor of compressed maps: reads map files whole and writes them gzip-compressed, at the engine's level.

isal is used where it is installed, as the engine does; else zlib at its fastest level.

    python floor_gzip.py OUT MAP.nii [MAP.nii ...]
"""

import argparse
import gzip
from pathlib import Path

try:
    from isal import igzip as compressor
except ImportError:
    compressor = gzip  # type: ignore[misc]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("maps", type=Path, nargs="+")
    args = parser.parse_args()
    args.out.mkdir()
    for file in args.maps:
        with compressor.open(args.out / (file.name + ".gz"), "wb", compresslevel=1) as target:
            target.write(file.read_bytes())
