"""Measurements of the panel: one thread at a time, the newest of a box is heard, and the GUI goes on."""

from __future__ import annotations

import threading
import time

from DynamicPETKineticsLib.panel.measuring import Measuring, Turns
from DynamicPETKineticsLib.panel.qt_ticker import QtTicker
from standin.panel import process_events


def unheard(error: Exception) -> None:
    raise AssertionError("nothing fails here") from error


def test_boxes_take_turns() -> None:
    at_once, most, lock = [0], [0], threading.Lock()

    def work(name: str) -> str:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.05)
        with lock:
            at_once[0] -= 1
        return name

    turns, heard = Turns(QtTicker), []
    boxes = [Measuring(turns) for _ in range(3)]
    for name, box in zip("abc", boxes, strict=True):
        box.run(lambda name=name: work(name), heard.append, unheard)
    assert all(box.running for box in boxes)
    process_events(until=lambda: len(heard) == 3)
    assert heard == ["a", "b", "c"] and most == [1]
    assert not any(box.running for box in boxes)


def test_a_newer_measurement_of_a_box_takes_the_place_of_an_older() -> None:
    turns, heard = Turns(QtTicker), []
    box, other = Measuring(turns), Measuring(turns)
    box.run(lambda: time.sleep(0.05), heard.append, unheard)
    other.run(lambda: "other", heard.append, unheard)
    box.run(lambda: "newer", heard.append, unheard)
    process_events(until=lambda: len(heard) == 2)
    assert heard == ["other", "newer"]


def test_a_cancelled_measurement_is_not_heard_and_frees_its_turn() -> None:
    turns, heard = Turns(QtTicker), []
    box, other = Measuring(turns), Measuring(turns)
    box.run(lambda: time.sleep(0.05), heard.append, unheard)
    other.run(lambda: "other", heard.append, unheard)
    box.cancel()
    process_events(until=lambda: bool(heard))
    assert heard == ["other"] and not box.running


def test_what_goes_wrong_is_told_and_the_next_one_begins() -> None:
    turns, heard = Turns(QtTicker), []

    def wrong() -> None:
        raise ValueError("no such region")

    Measuring(turns).run(wrong, unheard, lambda error: heard.append(str(error)))
    Measuring(turns).run(lambda: "fine", heard.append, unheard)
    process_events(until=lambda: len(heard) == 2)
    assert heard == ["no such region", "fine"]
