"""A study for people: its tables as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from petkinetics.studies.data_explained import mean_chi_square
from petkinetics.studies.markdown import head, line
from petkinetics.studies.names import BIAS_BY_SIZE, PATLAK, TUNED, USUAL, called, explained
from petkinetics.studies.noisy_reference import PAPER_GAINS
from petkinetics.studies.world_table import world_table

Row = Mapping[str, object]
#: what only methods with SD maps or several evaluations have
_OF_SAMPLES = ("ki_within_1_sd_body_percent", "evaluations", "steps")


def as_markdown(settings: Mapping[str, object], tables: Mapping[str, Sequence[Row]]) -> str:
    """The summary, and what else the study found.

    :param tables: rows of "summary" and, of what the study has, "gates" and those of :data:`_SECTIONS`.
    """
    parts = [_opening(settings), _summary(tables["summary"])]
    sampled = [row for row in tables["summary"] if any(row.get(f"{name}_mean") is not None for name in _OF_SAMPLES)]
    if sampled:
        parts.append(_calibration(sampled))
    if tables.get("gates"):
        parts.append(_gates(settings, tables["gates"]))
    many_worlds = world_table(tables["summary"], str(settings["method"]), _tuned(settings))
    if many_worlds:
        parts.append(many_worlds)
    parts += [section(rows) for name, section in _SECTIONS.items() if (rows := tables.get(name))]
    return "\n\n".join(parts) + "\n"


def _opening(settings: Mapping[str, object]) -> str:
    seeds = settings["seeds"]
    assert isinstance(seeds, list)
    slices = f", {settings['slices']} slices" if settings["slices"] else ""
    lines = [
        f"Simulated patients, not real ones: {settings['split']} seeds {seeds[0]}-{seeds[-1]} ({len(seeds)}), "
        f"{settings['anatomy']}, size {settings['size']}{slices}; t* {settings['t_star_min']:g} min; reference: "
        "noise-free Patlak 9-65 min.",
        "Input function: of the noisy images' aorta region (with the patient's plasma ratio), and the true curve.",
    ]
    options = settings.get("options")
    if isinstance(options, dict) and options:
        chosen = ", ".join(f"{k}={v}" for k, v in options.items())
        lines.append(f"Options of {settings['method']}: {chosen}.")
    learned = settings.get("learned", [])
    assert isinstance(learned, list)
    company = settings.get("beside", [])
    assert isinstance(company, list)
    named = [m for m in learned if m == settings["method"] or any(str(c).split(":")[0] == m for c in company)]
    if named:
        lines.append(f"Trained on simulated patients: {', '.join(named)}.")
    return "\n".join(lines)


def _tuned(settings: Mapping[str, object]) -> list[str]:
    """Labels of the classical methods at the strengths of least error: chosen for the usual world."""
    classical = settings.get("classical", [])
    assert isinstance(classical, list)
    return [label for label in classical if label.endswith(TUNED)]


def _summary(summary: Sequence[Row]) -> str:
    sizes = sorted(
        {k.removeprefix(BIAS_BY_SIZE) for r in summary for k in r if k.startswith(BIAS_BY_SIZE)},
        key=lambda c: float(c.split("-")[0]),
    )
    many_worlds = len({row.get("world", USUAL) for row in summary}) > 1
    titles = ["world"] * many_worlds
    titles += ["method", "dose", "until, min", "input function", "Ki RMSE ×10⁻³", "PSNR, dB", "SSIM"]
    titles += [f"lesion mean / peak bias {size.replace('_', ' ')}, %" for size in sizes]
    titles += [
        "lesions, absolute, %",
        "contrast ≥ 12 mm, %",
        "organ bias, %",
        "where Ki < .003, ×10⁻³",
        "V0 RMSE",
        "V0 SSIM",
        "s",
    ]
    lines = head(titles)
    for row in summary:
        cells = [str(row["world"])] * many_worlds
        cells += [
            called(row["method"]),
            f"{row['dose']:g}",
            _until(row),
            str(row["input"]),
            f"{_text(row['ki_rmse_mean'], 1e3, 3)} ± {_text(row['ki_rmse_sd'], 1e3, 3)}",
            _text(row["ki_psnr_db_mean"], 1, 1),
            _text(row["ki_ssim_mean"], 1, 3),
        ]
        cells += [
            " / ".join(_text(row[f"lesion_{kind}_bias_percent_{size}"], 1, 1) for kind in ("mean", "peak"))
            for size in sizes
        ]
        cells += [
            _text(row["lesion_mean_absolute_bias_percent"], 1, 1),
            _text(row["lesion_contrast_recovery_percent_12mm"], 1, 0),
            _text(row["organ_absolute_bias_percent"], 1, 1),
            _text(row["low_organ_absolute_bias"], 1e3, 3),
            _text(row["v0_rmse_mean"], 1, 4),
            _text(row.get("v0_ssim_mean"), 1, 3),
            _text(row["seconds_mean"], 1, 2),
        ]
        lines.append(line(cells))
    named = explained(row["method"] for row in summary)
    if named:
        lines += ["", " ".join(named)]
    return "\n".join(lines)


def _gates(settings: Mapping[str, object], rows: Sequence[Row]) -> str:
    lines = [
        f"## Gates of {settings['gates']}, judged: {settings['method']}",
        "",
        "Input function of the aorta region; ratios are of the mean RMSE over patients.",
        "",
        *head(["measure", "found", "required", "verdict", "stretch", "verdict of the stretch"]),
    ]
    for row in rows:
        sign = "≤" if row["better"] == "low" else "≥"
        verdict = str(row["verdict"] or "–")
        if isinstance(row["missed_by"], float):
            verdict = f"**miss** by {row['missed_by']:.3g}"
        stretch = "–" if row["stretch"] is None else f"{sign} {row['stretch']:g}"
        found = "–" if row["found"] is None else f"{row['found']:.3g}"
        bound = "–" if row["required"] is None else f"{sign} {row['required']:g}"
        lines.append(line([str(row["measure"]), found, bound, verdict, stretch, str(row["stretch_verdict"] or "–")]))
    counts = {v: sum(row["verdict"] == v for row in rows) for v in ("pass", "miss", "not run")}
    lines += ["", f"{counts['pass']} passed, {counts['miss']} missed, {counts['not run']} not run here."]
    return "\n".join(lines)


def _calibration(rows: Sequence[Row]) -> str:
    columns = ("within 1 / 2 SD, body, %", "within 1 / 2 SD, lesions, %", "steps a draw", "evaluations", "processor s")
    return _section(
        "What the SD maps promise, and what the maps cost",
        "How often Ki's truth lies within 1 and 2 of a map's SD (a normal error: 68 and 95 %); evaluations of the "
        "networks, all draws together; processor seconds, all threads, a slice of 256×256 voxels (– where slices are "
        "smaller than a quarter of that). Of methods that have an SD map or evaluate a network step by step.",
        ("input function", *columns),
        rows,
        lambda row: [
            str(row["input"]),
            *(
                " / ".join(_text(row[f"ki_within_{times}_sd_{place}_percent_mean"], 1, 1) for times in (1, 2))
                for place in ("body", "lesion")
            ),
            _text(row["steps_mean"], 1, 1),
            _text(row["evaluations_mean"], 1, 1),
            _text(row["cpu_seconds_a_slice_mean"], 1, 2),
        ],
    )


def _ratios(rows: Sequence[Row]) -> str:
    return _section(
        "Ratios of RMSE",
        "On the same patients and frames. The gates use the ratio of the means; beside it the mean (± SD) of the "
        "patients' own ratios, and the ratio pooled over voxels.",
        ("input function", "over", "map", "ratio of means", "mean of ratios", "pooled"),
        rows,
        lambda row: [
            str(row["input"]),
            str(row["reference"])
            + ("" if str(row["reference_method"]).startswith(PATLAK) else f" ({row['reference_method']})"),
            {"ki": "Ki", "v0": "V0"}[str(row["quantity"])],
            _text(row["ratio_of_means"], 1, 3),
            f"{_text(row['mean_of_ratios'], 1, 3)} ± {_text(row['sd_of_ratios'], 1, 3)}",
            _text(row["ratio_of_pooled"], 1, 3),
        ],
    )


def _gains(rows: Sequence[Row]) -> str:
    paper = {name: _signed(gain) for name, gain in PAPER_GAINS.items()}
    return _section(
        "Gains as Liang et al. 2023 compute them",
        "Reference: Patlak of the noisy full scan; per cent of Patlak of the short scan. The paper, on its own "
        f"patients: SSIM {paper['noisy_ssim']}, PSNR {paper['noisy_psnr_db']}, RMSE {paper['noisy_rmse']}. "
        "A reference with noise of its own sets an upper bound that no method passes, and shares its first frames' "
        "noise with the short scan's Patlak.",
        ("SSIM, %", "PSNR, %", "RMSE, %"),
        rows,
        lambda row: [_signed(row[f"noisy_{name}_gain_percent"]) for name in ("ssim", "psnr_db", "rmse")],
    )


def _worlds(rows: Sequence[Row]) -> str:
    return _section(
        "Worlds not trained in",
        "Cost: how much the RMSE over weighted Patlak's on the same data rises against the usual world (what is harder "
        "for everybody costs nothing); growth: of the RMSE itself; gain kept: share of the gain over weighted Patlak.",
        ("changes", "÷ Patlak", "cost, %", "growth, %", "gain kept, %"),
        rows,
        lambda row: [
            str(row["kind"]),
            _text(row["ratio_to_patlak"], 1, 3),
            _signed(row["cost_percent"]),
            _signed(row["growth_percent"]),
            _text(row["gain_kept_percent"], 1, 0),
        ],
    )


def _invented(rows: Sequence[Row]) -> str:
    return _section(
        "Blobs where there are no lesions",
        "Connected parts of the error in the body above its local mean + 4 SD, a litre; beside them those of plain "
        "Patlak under the Gaussian that leaves its noise the same SD, and of that noise alone.",
        ("seed", "SD ×10⁻³", "blobs", "Patlak's Gaussian, mm", "Patlak's blobs", "ratio", "its noise's", "ratio"),
        rows,
        lambda row: [
            str(row["seed"]),
            _text(row["error_sd"], 1e3, 3),
            _text(row["blobs_per_litre"], 1, 2),
            _text(row["patlak_fwhm_mm"], 1, 1),
            _text(row["patlak_blobs_per_litre"], 1, 2),
            _text(row["ratio"], 1, 2),
            _text(row["noise_blobs_per_litre"], 1, 2),
            _text(row["ratio_to_noise"], 1, 2),
        ],
    )


def _chi_square(rows: Sequence[Row]) -> str:
    """Of a case all lesions together."""
    cases: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        cases.setdefault(tuple(row[name] for name in (*_CASE, "input")), []).append(row)
    return _section(
        "Are the frames explained where lesions are",
        "Reduced χ² of the measured frames over all voxels of lesions in view, rings with their middle; 1 = to the "
        "noise as predicted, which need not be the lesion's own: plain Patlak's shows what it is there.",
        ("input function", "lesions", "voxels", "reduced χ²"),
        [{**here[0], "lesions": len(here), "all": here} for here in cases.values()],
        lambda row: [
            str(row["input"]),
            str(row["lesions"]),
            f"{sum(one['voxels'] for one in row['all'])}",  # type: ignore[attr-defined]
            _text(mean_chi_square(row["all"]), 1, 3),  # type: ignore[arg-type]
        ],
    )


_CASE = ("world", "method", "dose", "until_min")


def _section(
    title: str, about: str, columns: Sequence[str], rows: Sequence[Row], cells: Callable[[Row], list[str]]
) -> str:
    """A heading, a sentence and a table whose rows begin with the case."""
    lines = [f"## {title}", "", about, "", *head(["world", "method", "dose", "until, min", *columns])]
    for row in rows:
        case = [str(row["world"]), called(row["method"]), f"{row['dose']:g}", _until(row)]
        lines.append(line([*case, *cells(row)]))
    return "\n".join(lines)


#: by table
_SECTIONS: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "ratios": _ratios,
    "gains": _gains,
    "worlds": _worlds,
    "invented": _invented,
    "chi_square": _chi_square,
}


def _until(row: Row) -> str:
    until = row["until_min"]
    return "full" if until is None else f"{until:g}"


def _text(value: object, factor: float, digits: int) -> str:
    return f"{factor * float(value):.{digits}f}" if isinstance(value, float | int) else "–"


def _signed(value: object) -> str:
    return f"{float(value):+.1f}".replace("-", "−") if isinstance(value, float | int) else "–"
