"""Starts a real Slicer with this source tree's modules to run a script inside."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_script(slicer: Path, script: Path, log: Path, environment: dict[str, str], longest_s: float) -> int:
    """Run a script in the application, which it has to end; settings of the user are neither read nor changed.

    :param log: what Slicer prints is written there.
    :param environment: variables for the script.
    :returns: exit status of the application.
    :raises subprocess.TimeoutExpired: it did not end in time.
    """
    command = [str(slicer), "--no-splash", "--ignore-slicerrc", "--disable-settings"]
    command += ["--additional-module-paths", str(ROOT / "DynamicPETKinetics"), str(ROOT / "DICOMDynamicPETPlugin")]
    command += ["--python-script", str(script)]
    with log.open("w", encoding="utf-8") as output:
        return subprocess.run(
            command, stdout=output, stderr=subprocess.STDOUT, timeout=longest_s, env={**os.environ, **environment}
        ).returncode
