"""What is missing is offered where it is missed: PyTorch for a learned method, matplotlib for figures."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from panel_driver import PanelDriver

from DynamicPETKineticsLib.panel import package_offers
from DynamicPETKineticsLib.runs import methods

LEARNED = methods.Method("learned", "Learned", "A network.", False, True, 0.01)


@pytest.fixture
def driver(tmp_path: Path, panel_app: Any) -> Any:  # noqa: ARG001 (the application comes first)
    driver = PanelDriver(tmp_path)
    yield driver
    driver.close()


def choose_learned(driver: PanelDriver, monkeypatch: pytest.MonkeyPatch, *, installed: bool) -> None:
    monkeypatch.setattr(methods, "METHODS", (*methods.METHODS, LEARNED))
    monkeypatch.setattr(package_offers, "is_there", lambda package: installed or package != "torch")
    driver.panel.estimate.update()
    driver.choose("methodCombo", "learned")


def test_a_learned_method_without_pytorch_offers_it(driver: PanelDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_learned(driver, monkeypatch, installed=False)
    assert driver.visible("torchBox")
    assert "Trained on simulated patients" in driver.text("methodSentenceLabel")
    assert not driver.ui.runButton.enabled
    driver.choose("methodCombo", "patlak")
    assert not driver.visible("torchBox")


def test_with_pytorch_nothing_is_offered(driver: PanelDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_learned(driver, monkeypatch, installed=True)
    assert not driver.visible("torchBox") and driver.visible("deviceBox")


def test_a_device_that_was_chosen_for_a_learned_method_is_not_asked_of_another(
    driver: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_learned(driver, monkeypatch, installed=True)
    driver.panel.session.state.device = "cuda"
    assert driver.panel.estimate._choices().device == "cuda"
    driver.choose("methodCombo", "patlak")
    assert driver.panel.estimate._choices().device == "auto" and driver.panel.session.state.device == "cuda"


def test_without_slicer_s_pytorch_extension_the_panel_names_it(
    driver: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_learned(driver, monkeypatch, installed=False)
    driver.click("torchButton")
    assert "Extensions Manager" in driver.text("torchLabel")


def test_the_extension_installs_it_after_asking(driver: PanelDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Logic:
        def installTorch(self, askConfirmation: bool = False) -> None:
            asked.append(askConfirmation)
            monkeypatch.setattr(package_offers, "is_there", lambda _package: True)

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = Logic  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    choose_learned(driver, monkeypatch, installed=False)
    driver.click("torchButton")
    assert asked == [True]
    assert not driver.visible("torchBox")


def test_figures_are_offered_where_matplotlib_is_missing(driver: PanelDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert driver.visible("figuresBox") == (not package_offers.is_there("matplotlib"))
    monkeypatch.setattr(package_offers, "is_there", lambda _package: False)
    driver.panel.review.export._figures.update()
    assert driver.visible("figuresBox")
