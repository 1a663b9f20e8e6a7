"""Run in a process of its own: a saved scene is opened, and report and export must work from it alone.

``python reopen_result.py SCENE DICOM_FOLDER OUT`` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "DynamicPETKinetics")]


def main(scene: str, dicom: Path, out: Path) -> dict[str, object]:
    """Open, restore, export, report."""
    from standin.application import start
    from standin.vtk_errors import vtk_errors

    start()
    import slicer
    from DynamicPETKineticsLib.at_once import at_once
    from DynamicPETKineticsLib.results.export_maps import export_steps
    from DynamicPETKineticsLib.results.map_display import colour_of, threshold_of, window_of
    from DynamicPETKineticsLib.results.report import report_steps
    from DynamicPETKineticsLib.results.restore_folder import restore_steps
    from DynamicPETKineticsLib.results.result_nodes import all_results
    from petkinetics.read.result_folder import read_record, result_maps

    slicer.util.loadScene(scene, {})
    (result,) = all_results()
    folder = at_once(restore_steps(result, out / "restored"))
    maps = result_maps(folder, read_record(folder))

    for name in ("export", "report"):
        (out / name).mkdir()
    at_once(export_steps(result, out / "export", dicom, out / "dicom", "both")).run()
    at_once(report_steps(result, out / "report")).run()
    ki = result.maps["ki"]
    return {
        "name": result.name,
        "maps": [m.quantity.name for m in maps],
        "missing": list(result.missing_maps),
        "files": sorted(path.name for path in folder.iterdir()),
        "dicom": len(list((out / "dicom").iterdir())),
        "report": (out / "report" / "report.html").is_file(),
        "sequence": result.sequence.name if result.sequence else None,
        "input": [result.input_function.kind, result.input_function.time_s.size],
        "unit": ki.GetVoxelValueUnits().GetCodeValue(),
        "quantity": ki.GetVoxelValueQuantity().GetCodeValue(),
        "look": [colour_of(ki), list(window_of(ki)), threshold_of(ki)],
        "errors": vtk_errors().take(),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
