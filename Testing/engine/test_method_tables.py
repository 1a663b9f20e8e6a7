"""The tables of docs/methods.md are what their script computes, and they mean what the text says."""

from __future__ import annotations

import numpy as np
import pytest
import study_tables
from scipy.integrate import solve_ivp
from study_tables import numbers_and_words, shown_table

study = study_tables.study("patlak_model_error")


def test_the_document_shows_the_table_of_the_script() -> None:
    text = study.DOCUMENT.read_text(encoding="utf-8")
    shown = shown_table(text, "patlak model error")
    (expected, words), (there, their_words) = numbers_and_words(study.table()), numbers_and_words(shown)
    assert their_words == words
    assert there == pytest.approx(expected, abs=0.11)


def test_release_of_fdg_takes_the_slope_below_ki_in_every_window() -> None:
    for window in study.WINDOWS:
        without = study.slope("grey matter (Huang 1980), k4 left out", *window)
        assert study.slope("grey matter (Huang 1980)", *window) < 0.97 * without


def test_a_slope_of_the_table_agrees_with_an_ode_solver() -> None:
    """Grey matter with k4, 30-65 min: compartments by Runge-Kutta, the plot by hand."""
    k1, k2, k3, k4, fv = study.TISSUES["grey matter (Huang 1980)"]
    blood = study.input_function(study._BLOOD, 3900.0)

    def rates(t: float, state: np.ndarray) -> list[float]:
        plasma = float(blood.plasma_at(60.0 * t))
        free, trapped, _ = state
        return [k1 * plasma - (k2 + k3) * free + k4 * trapped, k3 * free - k4 * trapped, plasma]

    t = np.arange(30.0, 65.01, 0.5)
    free, trapped, integral = solve_ivp(rates, (0.0, 65.0), [0, 0, 0], t_eval=t, rtol=1e-8, atol=1e-8, max_step=0.05).y
    plasma = blood.plasma_at(60.0 * t)
    tissue = (1 - fv) * (free + trapped) + fv * blood.whole_blood_at(60.0 * t)
    regressors = np.stack([integral, plasma], axis=1)
    expected = np.linalg.lstsq(regressors, tissue, rcond=None)[0][0]
    assert study.slope("grey matter (Huang 1980)", 30.0, 65.0) == pytest.approx(expected, rel=3e-3)
