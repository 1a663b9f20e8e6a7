"""What a series is, for machines (``info --json``) and for people (``info``)."""

from __future__ import annotations

from petkinetics.series import DynamicSeries


def series_info(series: DynamicSeries) -> dict[str, object]:
    """The object that ``petkinetics info --json`` prints; every value can be written as JSON.

    For a static series *frames* lists its bed positions, while *shape* counts the one volume.
    """
    origin, timing = series.origin, series.timing
    frames = len(timing) if series.dynamic else 1
    return {
        "frames": [
            {"start_s": round(float(start), 6), "duration_s": round(float(duration), 6)}
            for start, duration in zip(timing.start_s, timing.duration_s, strict=True)
        ],
        "shape": [frames, *series.geometry.shape],
        "spacing_mm": list(series.geometry.spacing_mm),
        "units": origin.units,
        "tracer": series.tracer.name or series.tracer.radionuclide,
        "half_life_s": series.tracer.half_life_s,
        "decay_corrected_to": origin.decay_corrected_to,
        "injected_activity_mbq": series.injected_activity_mbq,
        "weight_kg": series.weight_kg,
        "suv_factor": series.suv_factor,
        "suv_factors": list(series.suv_factors) or None,
        "manufacturer": origin.manufacturer,
        "dynamic": series.dynamic,
        "warnings": list(series.warnings),
    }


def _optional(value: float | None, unit: str, text: str = ".4g") -> str:
    return "unknown" if value is None else f"{value:{text}} {unit}".rstrip()


def _frame_groups(series: DynamicSeries) -> list[str]:
    """The frames as lines, runs of equal contiguous frames as one."""
    timing, lines = series.timing, []
    start, n = 0, len(timing)
    what = "frame" if series.dynamic else "bed"
    while start < n:
        end = start + 1
        while (
            end < n
            and abs(timing.duration_s[end] - timing.duration_s[start]) < 0.01
            and abs(timing.start_s[end] - timing.end_s[end - 1]) <= 1.0
        ):
            end += 1
        name = f"{what} {start + 1}" if end == start + 1 else f"{what}s {start + 1}-{end}"
        times = f"{timing.start_s[start]:9.1f} s  to {timing.end_s[end - 1]:9.1f} s"
        lines.append(f"  {name:<16}{times}  {end - start:3d} x {timing.duration_s[start]:g} s")
        start = end
    return lines


def info_text(series: DynamicSeries) -> str:
    """A summary for people: what the series is, its frames from injection, and warnings."""
    frames = len(series.timing) if series.dynamic else 1
    slices, rows, columns = series.geometry.shape
    x, y, z = series.geometry.spacing_mm
    tracer = ", ".join(part for part in (series.tracer.name, series.tracer.radionuclide) if part) or "unknown"
    if series.suv_factor is not None:
        factor = f"{series.suv_factor:.6g} per stored unit"
    elif series.suv_factors:
        factor = f"{min(series.suv_factors):.6g} to {max(series.suv_factors):.6g} per stored unit, by frame"
    else:
        factor = "unknown"
    rows_of_text = (
        ("Series", f"{'dynamic' if series.dynamic else 'static'}, {frames} {'frames' if frames > 1 else 'frame'}"),
        ("Scanner", series.origin.manufacturer or "unknown"),
        ("Voxels", f"{columns} x {rows} x {slices} of {x:.4g} x {y:.4g} x {z:.4g} mm"),
        ("Tracer", f"{tracer}, half-life {series.tracer.half_life_s:g} s"),
        ("Injected", _optional(series.injected_activity_mbq, "MBq")),
        ("Weight", _optional(series.weight_kg, "kg")),
        ("Stored as", f"{series.origin.units}, decay-corrected to {series.origin.decay_corrected_to}"),
        ("SUV factor", factor),
    )
    lines = [f"{name:<12}{value}" for name, value in rows_of_text]
    lines += ["", "Times from injection:", *_frame_groups(series)]
    if series.warnings:
        lines += ["", "Please note:", *(f"  - {text}" for text in series.warnings)]
    return "\n".join(lines)
