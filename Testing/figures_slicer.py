"""Pictures of the Slicer module: its panel step by step, and the slice views as Slicer's own code draws them.

Made on the stand-in (Testing/standin): real nodes, real slice drawing, Qt; not a photograph of the application.
The patient is simulated in the anatomy of a real CT, which is bent into that patient's shape.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
SCREENSHOTS = ROOT / "Resources" / "screenshots"
#: not of any study
SEED = 11
_CT = ROOT / "Testing" / "data" / "anatomy_totalsegmentator" / "ct.nii.gz"
#: HU of the first grey level, and of one more
_FIRST_HU, _STEP_HU = -1024.0, 8.0


def ct_of(body: Any, geometry: Any) -> NDArray[np.float32]:
    """The real CT in the shape of a simulated patient, HU on a grid."""
    import SimpleITK as sitk
    from scipy.ndimage import map_coordinates

    image = sitk.DICOMOrient(sitk.ReadImage(str(_CT)), "LPS")
    levels = np.clip((sitk.GetArrayFromImage(image) - _FIRST_HU) / _STEP_HU, 0, 255).astype(np.float32)

    def at(column: Any, row: Any, slice_: Any) -> Any:
        where = np.stack([np.clip(slice_, 0, levels.shape[0] - 1), row, column])
        return np.round(map_coordinates(levels, where, order=1, mode="constant", cval=0.0)).astype(np.uint8)

    anatomy = body.anatomy
    tissues = anatomy.volume
    anatomy.volume = SimpleNamespace(at=at, spacing_mm=tissues.spacing_mm)
    try:
        from petkinetics.simulate.patient import grid_axes

        painted = anatomy.paint(*grid_axes(geometry))
    finally:
        anatomy.volume = tissues
    return painted.astype(np.float32) * np.float32(_STEP_HU) + np.float32(_FIRST_HU)


class Panel:
    """The module on the stand-in, driven as a person would."""

    def __init__(self) -> None:
        from standin import panel

        panel.start()
        from standin.panel.module_host import load_module

        self.module = load_module(ROOT / "DynamicPETKinetics" / "DynamicPETKinetics.py")
        self.root = self.module.widgetRepresentation()
        self.root.enter()
        self.widget = self.root.self()
        self.ui, self.state = self.widget.ui, self.widget._state

    def wait(self, condition: Any, seconds: float = 600.0) -> None:
        """Let it work."""
        from standin.panel.events import process_events

        process_events(until=condition, timeout_s=seconds)

    def show(self, *steps: str) -> None:
        """Open these steps and close the others."""
        for name in ("seriesStep", "inputStep", "estimateStep", "reviewStep"):
            getattr(self.ui, name).collapsed = name not in steps

    def picture(self, *steps: str) -> Any:
        """The panel, 400 pixels wide, with some steps open."""
        import tempfile

        from PIL import Image

        from standin.panel import grab

        self.show(*steps)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "panel.png"
            grab(self.root, path, 400)
            return Image.open(path).convert("RGB").copy()


def load(panel: Panel) -> Any:
    """Simulate, load series and CT; returns the patient."""
    import slicer
    from DynamicPETKineticsLib.scene.load_sequence import add_sequence
    from DynamicPETKineticsLib.scene.volume_geometry import ijk_to_ras
    from petkinetics.simulate.patient import Body, simulate_patient

    patient = simulate_patient("torso-ct", "full", SEED)
    geometry = patient.series.geometry
    ct = slicer.util.addVolumeFromArray(
        ct_of(Body.random("torso-ct", SEED), geometry), name="CT", nodeClassName="vtkMRMLScalarVolumeNode"
    )
    ct.SetIJKToRASMatrix(ijk_to_ras(geometry))
    ct.CreateDefaultDisplayNodes()
    ct.GetDisplayNode().SetAutoWindowLevel(False)
    ct.GetDisplayNode().SetWindowLevelMinMax(-160.0, 240.0)
    panel.state.anatomy = ct
    panel.state.sequence = add_sequence(patient.series, "FDG dynamic")
    panel.wait(lambda: panel.widget.panel.session.sequence is not None)
    return patient


def ras_of_lesion(patient: Any, number: int) -> tuple[float, float, float]:
    """Where a lesion lies."""
    place = np.mean(np.nonzero(patient.lesions == number), axis=1)
    x, y, z, _ = patient.series.geometry.affine_lps @ np.array([*place[::-1], 1.0])
    return -float(x), -float(y), float(z)


def views(ras: tuple[float, float, float], upper: str = "Coronal", lower: str = "Sagittal") -> Any:
    """The axial view, large, with two others beside it."""
    from PIL import Image

    from standin.rendering import slice_picture

    large, small, gap = 640, 318, 4
    whole = Image.new("RGB", (large + gap + small, large), "dimgrey")
    for orientation, size, place in (
        ("Axial", large, (0, 0)),
        (upper, small, (large + gap, 0)),
        (lower, small, (large + gap, small + gap)),
    ):
        whole.paste(Image.fromarray(slice_picture(orientation, (size, size), ras)), place)
    return whole


def beside(left: Any, *others: Any, gap: int = 8) -> Any:
    """Pictures side by side on the panel's grey."""
    from PIL import Image

    shown = [left, *others]
    whole = Image.new(
        "RGB", (sum(p.width for p in shown) + gap * (len(shown) - 1), max(p.height for p in shown)), (239, 239, 239)
    )
    at = 0
    for picture in shown:
        whole.paste(picture, (at, 0))
        at += picture.width + gap
    return whole


def save(picture: Any, name: str) -> None:
    """Into the documentation's folder."""
    import tempfile

    from pictures import keep_small

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        picture.save(path)
        keep_small(path, SCREENSHOTS / name)


def main() -> None:
    """Make all pictures, in place of the earlier ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "DynamicPETKinetics")]
    panel = Panel()

    import slicer

    empty = panel.picture("seriesStep")
    patient = load(panel)
    loaded = panel.picture("seriesStep")
    panel.ui.findAortaButton.click()
    panel.wait(lambda: panel.widget.panel.session.blood is not None)
    input_step = panel.picture("inputStep")
    from DynamicPETKineticsLib.regions.aorta_segment import aorta_centre_ras

    aorta = aorta_centre_ras(panel.state.inputSegmentation, panel.state.inputSegment)
    panel.ui.earlyButton.click()
    save(beside(input_step, views(aorta)), "slicer_input_function.png")
    panel.ui.plasmaCombo.currentIndex = 1
    panel.ui.plasmaSpin.value = round(float(patient.settings["plasma_to_whole_blood"]), 2)
    for method in ("patlak", "total-variation"):
        combo = panel.ui.methodCombo
        combo.currentIndex = next(i for i in range(combo.count) if combo.itemData(i) == method)
        if method == "patlak":
            chosen = panel.picture("estimateStep")
        panel.ui.runButton.click()
        panel.wait(lambda: not panel.widget.panel.estimate.running)
    shown = sorted(patient.lesion_list, key=lambda lesion: -lesion.kinetics.ki)
    shown = [lesion for lesion in shown if (patient.lesions == lesion.number).sum() > 100][:4]
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    for lesion in shown:
        crosshair.SetCrosshairRAS(*ras_of_lesion(patient, lesion.number))
        panel.ui.sphereSpin.value = max(lesion.diameter_mm, 8.0)
        panel.ui.sphereButton.click()
    panel.wait(lambda: len(panel.widget.panel.review.regions.rows) >= len(shown))
    regions = panel.state.regions.GetSegmentation()
    for segment_id, lesion in zip(regions.GetSegmentIDs(), shown, strict=True):
        regions.GetSegment(segment_id).SetName(f"Lesion, {lesion.site}")
    panel.wait(lambda: any("Lesion" in str(row["roi"]) for row in panel.widget.panel.review.regions.rows))
    panel.ui.agreementBox.collapsed = True
    review = panel.picture("reviewStep")
    # SUV of the same slice beside it: the view below the axial one
    save(beside(review, views(ras_of_lesion(patient, shown[0].number), "Red+", "Coronal")), "slicer_ki_over_ct.png")
    panel.ui.agreementBox.collapsed = False
    panel.wait(lambda: panel.widget.panel.review.agreement.comparison is not None)
    save(beside(empty, loaded, chosen, panel.picture("reviewStep")), "slicer_steps.png")


if __name__ == "__main__":
    main()
