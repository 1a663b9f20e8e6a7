"""The simulated patient in Slicer's Sample Data module. Nothing is downloaded: it has no address."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from DynamicPETKineticsLib.translation import _
from petkinetics.errors import ResourceError

#: on the button of the Sample Data module
SAMPLE_NAME = "Simulated dynamic FDG PET"


def register() -> None:
    """Add the sample to the module's list; nothing where Slicer runs without that module."""
    try:
        import SampleData
    except ImportError:
        return
    icon = Path(__file__).parents[2] / "Resources" / "Icons" / "DynamicPETKinetics.png"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="DynamicPETKinetics",
        sampleName=SAMPLE_NAME,
        # Slicer counts addresses and files: a sample without any has to say so.
        uris=[],
        fileNames=[],
        thumbnailFileName=str(icon) if icon.is_file() else None,
        customDownloader=load_sample,
    )


def load_sample(_source: Any = None) -> list[Any]:
    """Simulate the patient in the background process, wait for it, and load the series.

    Scripts expect the node from a sample, so this waits, as a download would; the panel's button does not.

    :returns: the sequence node.
    :raises ResourceError: the simulation failed.
    """
    from DynamicPETKineticsLib.process.launch import find_python, worker_command
    from DynamicPETKineticsLib.results.export_maps import SOURCE_FOLDER
    from DynamicPETKineticsLib.runs.sample_run import sample_folder, sample_job
    from DynamicPETKineticsLib.scene.load_sequence import add_sequence, show_in_browser
    from petkinetics.job_file import job_to_json
    from petkinetics.read.series import read_series

    folder = sample_folder()
    dicom = folder / "dicom"
    if not dicom.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        job_file = folder.with_name(folder.name + ".json")
        job_file.write_text(job_to_json(sample_job(folder)), encoding="utf-8")
        program, arguments = worker_command(find_python(), job_file)
        # Its standard input stays open, and empty, for as long as it runs: the worker ends with it.
        with subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        ) as worker:
            worker.wait()
        job_file.unlink(missing_ok=True)
    if not dicom.is_dir():
        raise ResourceError(_("The patient could not be simulated."), _("Try the button in step 1; it says why."))
    node = add_sequence(read_series(dicom), _("Simulated FDG patient"))
    show_in_browser(node)
    node.SetAttribute(SOURCE_FOLDER, str(dicom))
    return [node]
