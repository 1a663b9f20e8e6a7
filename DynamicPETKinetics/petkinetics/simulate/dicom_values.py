"""How DICOM writes numbers, dates, times and codes."""

from __future__ import annotations

from datetime import datetime

from pydicom.dataset import Dataset


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def decimal_string(value: float) -> str:
    """*value*, of any unit, as a DICOM decimal string: at most 16 characters."""
    for digits in range(15, 8, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.8g}"


def date_string(moment: datetime) -> str:
    """YYYYMMDD."""
    return moment.strftime("%Y%m%d")


def time_string(moment: datetime) -> str:
    """HHMMSS with a fraction of six digits."""
    return moment.strftime("%H%M%S.%f")
