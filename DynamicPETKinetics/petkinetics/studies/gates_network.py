"""The gates of the kinetic network (35 min)."""

from __future__ import annotations

from petkinetics.studies.gate import Gate, box_against, number, ratio, size, worst_world
from petkinetics.studies.names import DIRECT_NETWORK, PATLAK
from petkinetics.studies.ratios import BEST_CLASSICAL, FULL_SCAN_NOISY, WEIGHTED_PATLAK

_UNTIL = 35.0
#: dose 1 and 35 min unless said otherwise
NETWORK = (
    Gate("RMSE of Ki ÷ weighted Patlak of the same frames", ratio(WEIGHTED_PATLAK, 1.0, _UNTIL), 0.42, 0.34),
    Gate("RMSE of Ki ÷ best tuned regularised Patlak", ratio(BEST_CLASSICAL, 1.0, _UNTIL), 0.80, 0.65),
    Gate("RMSE of Ki ÷ noisy full-scan Patlak", ratio(FULL_SCAN_NOISY, 1.0, _UNTIL), 1.1, 0.85),
    Gate("SSIM", number("ki_ssim_mean", 1.0, _UNTIL), 0.90, 0.94, "high"),
    Gate("lesions: mean absolute Ki error, %", number("lesion_mean_absolute_bias_percent", 1.0, _UNTIL), 11.0, 8.0),
    Gate("lesions: size of the mean bias, %", size("lesion_mean_bias_percent", 1.0, _UNTIL), 7.0, 4.0),
    Gate("organs: mean absolute bias, %", number("organ_absolute_bias_percent", 1.0, _UNTIL), 13.0, 8.0),
    Gate("organs with Ki < .003: mean absolute bias, mL/min/mL", number("low_organ_absolute_bias", 1.0, _UNTIL), 2e-4),
    Gate("V0 RMSE ÷ weighted Patlak's", ratio(WEIGHTED_PATLAK, 1.0, _UNTIL, "v0"), 0.5, 0.35),
    Gate("dose 1/4: RMSE of Ki ÷ weighted Patlak", ratio(WEIGHTED_PATLAK, 0.25, _UNTIL), 0.30, 0.26),
    *(
        Gate(f"unseen {kind}: cost of the worst, %", worst_world(kind, "cost_percent", _UNTIL), 25.0, 12.0)
        for kind in ("framing", "input function", "noise")
    ),
    Gate("tumour box: width of the limits ÷ weighted Patlak's", box_against(PATLAK, _UNTIL), 1.0),
    Gate(f"tumour box: width of the limits ÷ {DIRECT_NETWORK}'s", box_against(DIRECT_NETWORK, _UNTIL), 1.0),
    Gate(
        "tumour box: patients whose bias interval includes 0, %",
        lambda study: study.box_shares(1.0, _UNTIL),
        None,
        95.0,
        "high",
    ),
)
