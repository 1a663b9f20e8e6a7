"""The floor of compressed maps: reads map files whole and writes them gzip-compressed, at the engine's level.

isal is used where it is installed, as the engine does; else zlib at its fastest level.

    python floor_gzip.py OUT MAP.nii [MAP.nii ...]
"""

import gzip
import sys
from pathlib import Path

try:
    from isal import igzip as compressor
except ImportError:
    compressor = gzip  # type: ignore[misc]

if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir()
    for name in sys.argv[2:]:
        with compressor.open(out / (Path(name).name + ".gz"), "wb", compresslevel=1) as target:
            target.write(Path(name).read_bytes())
