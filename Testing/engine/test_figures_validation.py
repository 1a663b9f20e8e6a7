"""Pictures of the documents: drawn from what is committed, small, and shown somewhere."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from petkinetics.write.tables import read_table

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
#: of all pictures of docs/images: the repository keeps each version of each
MOST_BYTES, MOST_BYTES_EACH = 1_000_000, 150_000


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "Testing"))
    yield importlib.import_module("figures_validation")
    for name in ("figures_validation", "figures_worlds", "pictures"):
        sys.modules.pop(name, None)


def test_the_table_over_dose_is_what_the_log_has(scripts: ModuleType) -> None:
    methods = {m.name: m for m in scripts.over_dose(scripts.PAGE.read_text(encoding="utf-8"))}
    assert {"patlak", "nlm", "start-hqs, four draws"} <= set(methods)
    assert all(sorted(m.rmse) == [0.05, 0.1, 0.25, 0.5, 1.0] for m in methods.values())
    rows = [
        row
        for row in read_table(scripts.LOG)
        if (row["method"], row["options"], row["seeds"], row["slices"], row["input"])
        == ("diffusion-prior", None, "91000-91003", 10, "aorta ROI")
        and row["anatomy"] == "thorax"
        and row["samples"] == 4
    ]
    newest = {float(row["dose"]): row for row in rows}
    assert sorted(newest) == [0.05, 0.1, 0.25, 0.5, 1.0]
    for dose, row in newest.items():
        assert methods["patlak"].rmse[dose] == pytest.approx(1e3 * row["patlak_ki_rmse_mean"], abs=0.0006)
        assert methods["start-hqs, four draws"].rmse[dose] == pytest.approx(1e3 * row["ki_rmse_mean"], abs=0.0006)


def line(**changes: object) -> dict[str, object]:
    row = {"date": "2026-11-27", "commit": "a", "method": "nlm", "options": None, "seeds": "91000-91002"}
    row |= {"anatomy": "thorax", "size": "full", "slices": 8, "dose": 1, "until_min": 35, "input": "aorta ROI"}
    row |= {"ki_rmse_mean": 1e-3, "ki_rmse_sd": 1e-4, "patlak_ki_rmse_mean": 2e-3, "samples": 0}
    return {**row, **changes}


def test_of_worlds_the_newest_run_is_drawn(scripts: ModuleType) -> None:
    osem = {"options": "world:noise=osem"}
    log = [
        line(),
        line(**osem, ki_rmse_mean=9e-4),
        line(**osem, ki_rmse_mean=1.2e-3),
        line(**osem, input="true curve", ki_rmse_mean=5e-4),
        line(method="kinetic-network", seeds="91000-91029"),
        line(method="diffusion-prior", options="solver=hqs world:voxel=3", until_min=None, samples=4, dose=0.25),
    ]
    short, whole = scripts.world_runs(log)
    assert (short.dose, short.until_min, short.worlds) == (1.0, 35.0, ["usual", "noise=osem"])
    assert list(short.rows) == ["nlm"], "who was run in no other world is not drawn"
    assert short.costs("nlm") == {"noise=osem": pytest.approx(20.0)}
    assert list(whole.rows) == ["diffusion-prior solver=hqs samples=4"]
    assert whole.costs("diffusion-prior solver=hqs samples=4") == {}, "its usual scan was not run"
    assert scripts.world_runs([line()]) == []


def test_every_world_of_the_log_has_words(scripts: ModuleType) -> None:
    words = sys.modules["figures_worlds"].in_words
    worlds = {world for runs in scripts.world_runs(read_table(scripts.LOG)) for world in runs.worlds}
    assert {"usual", "noise=osem", "move=6"} <= worlds
    assert all("=" not in words(world) for world in worlds)


def test_every_picture_is_small_shown_and_described() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
    sizes = {path.name: path.stat().st_size for path in pictures}
    assert max(sizes.values()) < MOST_BYTES_EACH and sum(sizes.values()) < MOST_BYTES, sizes
    shown = {}
    for page in PAGES:
        for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)]*\.png)\)", page.read_text(encoding="utf-8")):
            shown[(page.parent / target).resolve()] = alt
    assert {path.resolve() for path in pictures} <= set(shown)
    assert all(path.is_file() and len(alt) > 15 for path, alt in shown.items()), shown
