"""The engine's advice in the panel's words: it speaks of options of the command line, the panel has buttons."""

from __future__ import annotations

import re

from DynamicPETKineticsLib.translation import _

_OPTION = re.compile(r"--[a-z]+(?:-[a-z]+)*(?: auto)?")


def in_panel_words(text: str) -> str:
    """A message or hint with every option replaced by what it is called in the panel.

    >>> in_panel_words("Check the value given with --hct.")
    'Check the value given with the haematocrit in step 2.'
    """
    whole = _sentences().get(text)
    if whole is not None:
        return whole
    return _OPTION.sub(lambda found: _names().get(found[0], found[0]), text)


def _sentences() -> dict[str, str]:
    return {
        "Draw it, for instance in 3D Slicer, and give the label map with --roi.": _("Draw it: press Edit in step 2."),
        "Give the DICOM folder of the series with --series.": _("Press Locate series folder."),
        "Check the value given with --hct.": _("Check the haematocrit in step 2."),
        "Check the value given with --plasma-ratio (FDG: about 1.1).": _(
            "Check the plasma ratio in step 2 (FDG: about 1.1)."
        ),
        "Leave out --plasma-ratio and --hct.": _("Choose no plasma correction in step 2."),
        "Give it with --half-life (seconds; 6586.2 for F-18).": _("Type it in step 1 (seconds; 6586.2 for F-18)."),
        "Give a measured or population curve with --input-function, or correct --injection-time.": _(
            "Choose a curve from file in step 2, or correct the start of the first frame in step 1."
        ),
    }


def _names() -> dict[str, str]:
    return {
        "--aorta auto": _("Find aorta in step 2"),
        "--dose": _("the injected activity in step 1"),
        "--half-life": _("the half-life in step 1"),
        "--hct": _("the haematocrit in step 2"),
        "--injection-time": _("the start of the first frame in step 1"),
        "--input-function": _("a curve from file in step 2"),
        "--plasma-ratio": _("the plasma ratio in step 2"),
        "--roi": _("a segment in step 2"),
        "--rois": _("the regions in step 4"),
        "--series": _("the series"),
        "--set": _("this method"),
        "--t-star": _("t*"),
        "--until": _("end"),
        "--weight": _("the weight in step 1"),
    }
