"""Blood curves from tables: what is stated counts, what is not stated is asked for, nothing is guessed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic import LAMBDA

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.read.curve_statements import CurveContext
from petkinetics.read.curves import read_input_function
from petkinetics.write.input_function import write_input_function

DATA = Path(__file__).parents[1] / "data" / "plasma_ds004513"
REAL = DATA / "sub-s028_ses-open_task-rest_recording-autosampler_blood.tsv"
CONTEXT = CurveContext(LAMBDA)
TIME = np.array([0.0, 20.0, 40.0, 60.0, 120.0, 600.0])
PLASMA = np.array([0.0, 2.0, 40.0, 25.0, 12.0, 6.0])
STATED = {"input_units": "kBq/mL", "input_time_units": "s", "input_time_zero": "injection", "input_decay": "injection"}


def table(path: Path, header: str, *columns, delimiter: str = "\t") -> Path:  # type: ignore[no-untyped-def]
    rows = [delimiter.join(str(v) for v in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header.replace("\t", delimiter), *rows]) + "\n", encoding="utf-8")
    return path


def read(path: Path, context: CurveContext = CONTEXT, until_s: float | None = None, **options: str) -> InputFunction:
    return read_input_function(path, context, options, until_s)


# ------------------------------------------------------------------------------------ stated in the file


@pytest.mark.parametrize(("name", "delimiter"), [("a.tsv", "\t"), ("a.csv", ","), ("b.csv", ";")])
@pytest.mark.parametrize(
    ("header", "time_factor", "factor"),
    [
        ("time (s)\tplasma (kBq/mL)", 1.0, 1.0),
        ("Time [min]\tPlasma [Bq/mL]", 1 / 60, 1e3),
        ("time(seconds)\tplasma_radioactivity (MBq/mL)", 1.0, 1e-3),
        ("time [min]\tplasma [µCi/mL]", 1 / 60, 1 / 37.0),
        ("time [s]\tplasma [nCi/ml]", 1.0, 1 / 0.037),
    ],
)
def test_units_in_the_header_are_obeyed(tmp_path, name, delimiter, header, time_factor, factor):
    path = table(tmp_path / name, header, TIME * time_factor, PLASMA * factor, delimiter=delimiter)
    curve = read(path, input_time_zero="injection", input_decay="injection")
    np.testing.assert_allclose(curve.time_s, TIME, rtol=1e-12)
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, PLASMA, rtol=1e-9)
    assert curve.kind == "plasma"


def test_a_bids_sidecar_states_everything(tmp_path):
    path = table(
        tmp_path / "sub-01_recording-manual_blood.tsv",
        "time\twhole_blood_radioactivity\tplasma_radioactivity",
        TIME,
        PLASMA * 900,
        PLASMA * 1000,
    )
    sidecar = {
        "time": {"Units": "s"},
        "whole_blood_radioactivity": {"Units": "Bq/mL"},
        "plasma_radioactivity": {"Units": "Bq/mL"},
        "DecayCorrectedTo": "injection",
    }
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    curve = read(path, CurveContext(LAMBDA, time_zero_s=-15.0))
    # BIDS: blood times count from the PET's TimeZero, here 15 s before injection
    np.testing.assert_allclose(curve.time_s[-len(TIME) :], TIME - 15.0)
    np.testing.assert_allclose(curve.plasma_kbq_per_ml[-len(TIME) :], PLASMA)
    np.testing.assert_allclose(curve.whole_blood_kbq_per_ml[-len(TIME) :], 0.9 * PLASMA)
    assert curve.kind == "plasma"


def test_parent_plasma_is_preferred_and_named(tmp_path):
    header = "time (s)\tplasma (kBq/mL)\tparent_plasma (kBq/mL)\twhole_blood (kBq/mL)"
    path = table(tmp_path / "a.tsv", header, TIME, PLASMA, 0.7 * PLASMA, 0.9 * PLASMA)
    curve = read(path, input_time_zero="injection", input_decay="injection")
    assert curve.kind == "parent plasma"
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, 0.7 * PLASMA)
    np.testing.assert_allclose(curve.whole_blood_kbq_per_ml, 0.9 * PLASMA)


@pytest.mark.parametrize(("blood", "factor"), [("plasma", 1.0), ("parent plasma", 0.7), ("whole blood", 0.9)])
def test_the_user_chooses_among_columns(tmp_path, blood, factor):
    header = "time (s)\tplasma (kBq/mL)\tparent_plasma (kBq/mL)\twhole_blood (kBq/mL)"
    path = table(tmp_path / "a.tsv", header, TIME, PLASMA, 0.7 * PLASMA, 0.9 * PLASMA)
    curve = read(path, input_time_zero="injection", input_decay="injection", input_blood=blood)
    assert curve.kind == blood
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, factor * PLASMA)


def test_own_files_are_read_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    nodes = np.sort(rng.uniform(-30.0, 4000.0, 300))
    plasma = rng.uniform(0.0, 60.0, 300)
    for kind, whole in (("whole blood", plasma), ("plasma", plasma / 1.1), ("parent plasma", plasma / 1.3)):
        path = tmp_path / f"{kind.replace(' ', '_')}.tsv"
        write_input_function(path, InputFunction(nodes, plasma, whole, kind, "test"))
        back = read(path)
        assert back.kind == kind
        np.testing.assert_allclose(back.time_s, nodes, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(back.plasma_kbq_per_ml, plasma, rtol=1e-8)
        np.testing.assert_allclose(back.whole_blood_kbq_per_ml, whole, rtol=1e-8)
        sidecar = json.loads(path.with_suffix(".json").read_text())
        assert sidecar["time"]["Units"] == "s"
        assert sidecar["plasma_radioactivity"]["Units"] == "kBq/mL"


def test_own_columns_without_the_sidecar_are_accepted_and_that_is_said(tmp_path):
    path = table(
        tmp_path / "a.tsv", "time\twhole_blood_radioactivity\tplasma_radioactivity", TIME, PLASMA, 1.1 * PLASMA
    )
    curve = read(path)
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, 1.1 * PLASMA)
    assert any("a.tsv" in w and "kBq/mL" in w for w in curve.warnings)
    # a method's option says nothing about the table
    np.testing.assert_array_equal(read(path, weights="ratio").plasma_kbq_per_ml, curve.plasma_kbq_per_ml)


def test_fractions_of_bids_are_no_activity(tmp_path):
    path = table(
        tmp_path / "sub-01_recording-manual_blood.tsv",
        "time\tplasma_radioactivity\tmetabolite_parent_fraction\thplc_recovery_fractions",
        TIME,
        PLASMA,
        np.linspace(1.0, 0.4, TIME.size),
        np.ones(TIME.size),
    )
    curve = read(path, **STATED)
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, PLASMA)
    assert curve.kind == "plasma"
    assert any("metabolite_parent_fraction" in w and "not applied" in w for w in curve.warnings)


def test_a_curve_without_its_rise_says_so(tmp_path):
    path = table(tmp_path / "a.tsv", "time [s]\tplasma [kBq/mL]", TIME[2:], PLASMA[2:])
    stated = {"input_time_zero": "injection", "input_decay": "injection"}
    assert any("40 s after injection" in w for w in read(path, **stated).warnings)
    whole = table(tmp_path / "b.tsv", "time [s]\tplasma [kBq/mL]", TIME[1:], PLASMA[1:])
    assert not any("bolus" in w for w in read(whole, **stated).warnings)


# ------------------------------------------------------------------------------------ asked for


def test_the_names_of_bids_alone_state_no_units(tmp_path):
    header = "time\twhole_blood_radioactivity\tplasma_radioactivity"
    path = table(tmp_path / "sub-01_blood.tsv", header, TIME, PLASMA, 1.1 * PLASMA)
    with pytest.raises(InputError, match="input_time_units"):
        read(path)


@pytest.mark.parametrize("missing", [*STATED, "input_blood"])
def test_each_missing_statement_is_asked_for_by_its_option(tmp_path, missing):
    path = table(tmp_path / "a.tsv", "time\tvalue", TIME, PLASMA)
    said = {**STATED, "input_blood": "plasma"}
    np.testing.assert_allclose(read(path, **said).plasma_kbq_per_ml, PLASMA)
    with pytest.raises(InputError) as refused:
        read(path, **{k: v for k, v in said.items() if k != missing})
    assert "a.tsv" in refused.value.message
    assert missing in refused.value.hint


@pytest.mark.parametrize("missing", STATED)
def test_the_real_bids_file_is_not_guessed_at(missing):
    with pytest.raises(InputError) as refused:
        read(REAL, **{k: v for k, v in STATED.items() if k != missing})
    assert missing in refused.value.hint


def test_the_real_bids_file_with_statements():
    curve = read(REAL, **{**STATED, "input_units": "Bq/mL"})
    assert curve.kind == "plasma"
    assert curve.peak == (36.0, pytest.approx(65.55509))
    assert curve.end_s == 2550.0
    assert curve.plasma_at(2550.0) == pytest.approx(6.073857)
    # the first sample already holds activity, so the curve rises from zero at injection
    assert (curve.time_s[0], curve.plasma_kbq_per_ml[0]) == (0.0, 0.0)
    assert any("whole blood" in w for w in curve.warnings)


def test_the_real_bids_file_counts_from_time_zero_of_its_image():
    curve = read(
        REAL, CurveContext(LAMBDA, time_zero_s=0.0), input_units="Bq/mL", input_time_units="s", input_decay="injection"
    )
    assert curve.peak[0] == 36.0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("input_units", "counts"),
        ("input_time_units", "hours"),
        ("input_time_zero", "noon"),
        ("input_time_zero", "nan"),
        ("input_decay", "inf"),
        ("input_decay", "maybe"),
        ("input_blood", "urine"),
    ],
)
def test_a_statement_that_means_nothing_is_refused_with_its_value(tmp_path, option, value):
    path = table(tmp_path / "a.tsv", "time\tvalue", TIME, PLASMA)
    with pytest.raises(InputError) as refused:
        read(path, **{**STATED, "input_blood": "plasma", option: value})
    assert value in refused.value.message


def test_the_user_is_stronger_than_the_file(tmp_path):
    path = table(tmp_path / "a.tsv", "time (s)\tplasma (Bq/mL)", TIME, PLASMA)
    np.testing.assert_allclose(read(path, **STATED).plasma_kbq_per_ml, PLASMA)


# ------------------------------------------------------------------------------------ time zero and decay


@pytest.mark.parametrize("zero", ["30", "-45.5"])
def test_time_zero_in_seconds_from_injection(tmp_path, zero):
    path = table(tmp_path / "a.tsv", "time (s)\tplasma (kBq/mL)", TIME, PLASMA)
    curve = read(path, input_time_zero=zero, input_decay="injection")
    assert curve.end_s == pytest.approx(600.0 + float(zero))


def test_uncorrected_samples_are_corrected_each_from_its_own_time(tmp_path):
    path = table(tmp_path / "a.tsv", "time (s)\tplasma (kBq/mL)", TIME, PLASMA * np.exp(-LAMBDA * (TIME + 20.0)))
    curve = read(path, input_time_zero="20", input_decay="none")
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, PLASMA, rtol=1e-9)


@pytest.mark.parametrize("to", [0.0, 1800.0, -60.0])
def test_samples_corrected_to_another_time_get_one_factor(tmp_path, to):
    path = table(tmp_path / "a.tsv", "time (s)\tplasma (kBq/mL)", TIME, PLASMA * np.exp(-LAMBDA * to))
    curve = read(path, input_time_zero="injection", input_decay=str(to))
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, PLASMA, rtol=1e-9)


# ------------------------------------------------------------------------------------ until


def test_nothing_after_until_is_looked_at(tmp_path):
    spoiled = PLASMA.copy()
    spoiled[TIME > 120.0] = np.nan
    a = table(tmp_path / "a.tsv", "time (s)\tplasma (kBq/mL)", TIME, PLASMA)
    b = table(tmp_path / "b.tsv", "time (s)\tplasma (kBq/mL)", TIME, spoiled)
    for until in (120.0, 300.0):
        one, other = (read(p, until_s=until, input_time_zero="injection", input_decay="injection") for p in (a, b))
        np.testing.assert_array_equal(one.time_s, other.time_s)
        np.testing.assert_array_equal(one.plasma_kbq_per_ml, other.plasma_kbq_per_ml)
        assert one.end_s <= until


# ------------------------------------------------------------------------------------ impossible tables


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["a.tsv"]),
        ("time (s)\tplasma (kBq/mL)\n", ["a.tsv"]),
        ("time (s)\tplasma (kBq/mL)\n0\t0\n10\n20\t5\n", ["a.tsv", "3"]),
        ("time (s)\tplasma (kBq/mL)\n0\t0\n10\tlow\n20\t5\n", ["a.tsv", "low"]),
        ("time (s)\tplasma (kBq/mL)\n0\t0\n10\tnan\n20\t5\n30\t4\n", ["a.tsv", "10"]),
        (
            "time (s)\tplasma (kBq/mL)\tblood (kBq/mL)\n0\t0\t0\n10\tnan\t6\n20\t5\t4\n30\t4\t3\n",
            ["a.tsv", "plasma", "10"],
        ),
        ("time (s)\tplasma (kBq/mL)\n0\t0\n10\tinf\n20\t5\n30\t4\n", ["a.tsv", "10"]),
        ("time (s)\tplasma (kBq/mL)\n0\t0\nn/a\t3\n20\t5\n30\t4\n", ["a.tsv"]),
        ("time (s)\tplasma (kBq/mL)\n0\t0\n20\t5\n10\t9\n30\t4\n", ["10"]),
        ("time (s)\tplasma (kBq/mL)\n0\t0\n10\t5\n10\t9\n30\t4\n", ["10"]),
        ("time (s)\tplasma (kBq/mL)\n0\t0\n10\t0\n20\t0\n", ["zero"]),
        ("time (s)\tplasma (kBq/mL)\n0\t0\n10\t5\n", ["three", "2"]),
        ("seconds\tplasma (kBq/mL)\n0\t0\n10\t5\n20\t3\n", ["time"]),
        ("time (s)\ttime (min)\tplasma (kBq/mL)\n0\t0\t0\n10\t0.1\t5\n20\t0.2\t3\n", ["time"]),
    ],
)
def test_an_impossible_table_is_refused_with_what_is_wrong(tmp_path, text, words):
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(InputError) as refused:
        read(tmp_path / "a.tsv", input_time_zero="injection", input_decay="injection")
    for word in words:
        assert word in refused.value.message, refused.value.message


def test_a_missing_or_binary_table_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"no\.tsv"):
        read(tmp_path / "no.tsv")
    (tmp_path / "a.tsv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"a\.tsv"):
        read(tmp_path / "a.tsv")


def test_a_broken_sidecar_is_refused_by_name(tmp_path):
    path = table(tmp_path / "a.tsv", "time (s)\tplasma (kBq/mL)", TIME, PLASMA)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json"):
        read(path, input_time_zero="injection", input_decay="injection")


def test_a_sidecar_s_time_that_is_no_number_is_refused(tmp_path):
    path = table(tmp_path / "a.tsv", "time (s)\tplasma (kBq/mL)", TIME, PLASMA)
    (tmp_path / "a.json").write_text('{"TimeZero": [0]}')
    with pytest.raises(InputError, match=r"'\[0\]' is not a value for input_time_zero of a\.tsv"):
        read(path, input_decay="injection")


def test_missing_whole_blood_cells_are_interpolated_between_samples(tmp_path):
    # BIDS: whole blood is often sampled less often than plasma, with n/a between
    path = tmp_path / "a.tsv"
    path.write_text(
        "time (s)\tplasma (kBq/mL)\twhole_blood (kBq/mL)\n0\t0\t0\n10\t8\tn/a\n20\t6\t4\n30\t5\tn/a\n40\t4\t3\n"
    )
    curve = read(path, input_time_zero="injection", input_decay="injection")
    np.testing.assert_allclose(curve.whole_blood_kbq_per_ml, [0.0, 2.0, 4.0, 3.5, 3.0])
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, [0.0, 8.0, 6.0, 5.0, 4.0])


def test_a_byte_order_mark_and_windows_lines_do_not_matter(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbftime (s),plasma (kBq/mL)\r\n0,0\r\n10,8\r\n20,6\r\n")
    curve = read(path, input_time_zero="injection", input_decay="injection")
    np.testing.assert_array_equal(curve.plasma_kbq_per_ml, [0.0, 8.0, 6.0])


def test_decimal_commas_with_semicolons_are_refused_not_misread(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time (s);plasma (kBq/mL)\n0;0\n10,5;8,1\n20;6\n30;5\n")
    with pytest.raises(InputError, match=r"10,5|8,1"):
        read(path, input_time_zero="injection", input_decay="injection")
