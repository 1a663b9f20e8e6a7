"""How a result was made, in the report: options, overrides, noise, versions, hashes, with names and units of people."""

from __future__ import annotations

from petkinetics.evaluate.record_values import Record, mapping_of
from petkinetics.evaluate.report_cells import facts_table

#: options by their names on the command line
_OPTIONS = {
    "roi": "Blood region (--roi)",
    "input_function": "Blood curve (--input-function)",
    "aorta": "Aorta (--aorta)",
    "t_star": "t*, min (--t-star)",
    "until": "Frames end by, min (--until)",
    "mask": "Mask (--mask)",
    "rois": "Regions (--rois)",
    "plasma_ratio": "Plasma over whole blood (--plasma-ratio)",
    "hct": "Haematocrit (--hct)",
    "device": "Device asked for (--device)",
    "weights": "Folder of weights (--weights)",
    "seed": "Seed of random numbers (--seed)",
    "samples": "Samples drawn (--samples)",
    "compress": "Maps are compressed",
    "set": "Options of the method (--set)",
}
#: what was given in place of what the files say
_OVERRIDES = {
    "injection_time": "Injection time, given by the user",
    "dose_mbq": "Injected activity, MBq, given by the user",
    "weight_kg": "Body weight, kg, given by the user",
    "half_life_s": "Half-life, s, given by the user",
    "plasma_ratio": "Plasma over whole blood, given by the user",
    "hct": "Haematocrit, given by the user",
}
#: the model's own scales ("common", "local") mean nothing to a reader without its equation and stay in result.json
_NOISE = {
    "body_mean_kbq_per_ml": "Mean activity of the body, kBq/mL",
    "correlation_sd_mm": "Grain of the noise (SD of its Gaussian kernel; x, y, z), mm",
    "noise_to_contrast": "Noise (SD) of Patlak's Ki over the Ki that the map shows widely",
    "ki_sd_before": "Noise (SD) of Ki in a typical voxel before regularisation, mL/min/mL",
    "v0_sd_before": "Noise (SD) of V0 in a typical voxel before regularisation, mL/mL",
    "patlak_ki_sd": "Noise (SD) of Patlak's Ki in a typical voxel, mL/min/mL",
}


def provenance_facts(record: Record) -> str:
    """Date, options, overrides, noise, versions, hashes.

    An option or override that has no name here keeps the record's; of the noise only what is named is shown.
    """
    facts: list[tuple[str, object]] = [("Made (UTC)", record["made"])] if record.get("made") else []
    for key, names in (("options", _OPTIONS), ("overrides", _OVERRIDES)):
        kind = key.removesuffix("s").capitalize()
        facts += [(names.get(name, f"{kind} {name}"), value) for name, value in _given(record, key).items()]
    noise = _given(record, "noise")
    facts += [(label, noise[name]) for name, label in _NOISE.items() if name in noise]
    facts += [(f"Version of {name}", value) for name, value in _given(record, "versions").items()]
    for key, label in (
        ("device", "Device"),
        ("weights_hash", "Hash of the weights"),
        ("input_uids", "Series Instance UIDs"),
    ):
        if record.get(key) not in (None, "", [], {}):
            facts.append((label, record[key]))
    return facts_table(facts) if facts else ""


def _given(record: Record, key: str) -> Record:
    """The values of a part of the record that say something."""
    return {name: value for name, value in mapping_of(record.get(key)).items() if value not in (None, "", {}, [])}
