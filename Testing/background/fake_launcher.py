"""Stands for Slicer's launcher: runs the command after it, forwards stdio, forwards no signal.

Its child shares its standard streams, as that of Slicer's launcher does, except stdin, of which it passes
on what arrives and the end; where the child crashes, it exits with 1. The child's number goes into the file
that CHILD_PID_FILE names, for the tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


def _forward(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin
    while piece := os.read(0, 4096):
        try:
            child.stdin.write(piece)
            child.stdin.flush()
        except OSError:
            return
    child.stdin.close()


def main() -> int:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
    Path(os.environ["CHILD_PID_FILE"]).write_text(str(child.pid), encoding="ascii")
    threading.Thread(target=_forward, args=(child,), daemon=True).start()
    code = child.wait()
    sys.stdout.flush()
    return 1 if code < 0 or code > 255 else code


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os._exit(main())
