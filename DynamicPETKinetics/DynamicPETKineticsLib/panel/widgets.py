"""Small operations on widgets that every step needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import qt

_ROW_HEIGHT = 22


def say(label: Any, sentence: str) -> None:
    """Show a sentence in a label, or hide the label when there is none."""
    label.text = sentence
    label.visible = bool(sentence)


def allow(button: Any, reason: str, tip: str) -> None:
    """Enable a button, or disable it with the reason as its tooltip.

    :param reason: what is missing; "" for nothing.
    :param tip: the tooltip of the enabled button.
    """
    button.enabled = not reason
    button.toolTip = reason or tip


@contextmanager
def silently(*widgets: Any) -> Iterator[None]:
    """Change widgets without their signals."""
    before = [widget.blockSignals(True) for widget in widgets]
    try:
        yield
    finally:
        for widget, blocked in zip(widgets, before, strict=True):
            widget.blockSignals(blocked)


def choice(combo: Any) -> Any:
    """The data of the chosen entry; None where there is none."""
    index = combo.currentIndex
    return combo.itemData(index) if index >= 0 else None


def set_choices(combo: Any, entries: Iterable[tuple[str, Any]], chosen: Any = None) -> None:
    """Fill a combo box with (text, data), and choose an entry by its data (the first where it is not there)."""
    with silently(combo):
        combo.clear()
        listed = list(entries)
        for text, data in listed:
            combo.addItem(text, data)
        data = [entry[1] for entry in listed]
        if listed:
            combo.setCurrentIndex(data.index(chosen) if chosen in data else 0)


def fill_table(table: Any, header: Sequence[str], rows: Sequence[Sequence[str]], *, editable: bool = False) -> None:
    """Show texts in a QTableWidget; numbers stand right."""
    with silently(table):
        table.setRowCount(len(rows))
        table.setColumnCount(len(header))
        table.setHorizontalHeaderLabels(list(header))
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        for i, row in enumerate(rows):
            for j, text in enumerate(row):
                item = qt.QTableWidgetItem(text)
                if j == 0:
                    # Long names are cut off.
                    item.setToolTip(text)
                else:
                    item.setTextAlignment(int(qt.Qt.AlignRight) | int(qt.Qt.AlignVCenter))
                if not editable or j == 0:
                    item.setFlags(item.flags() & ~qt.Qt.ItemIsEditable)
                table.setItem(i, j, item)
        bar = table.horizontalHeader()
        for j in range(len(header)):
            bar.setSectionResizeMode(j, qt.QHeaderView.Stretch if j == 0 else qt.QHeaderView.ResizeToContents)


def minutes(value: float) -> str:
    """Minutes as people write them: "0", "0.5", "65"."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
