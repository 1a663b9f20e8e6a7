"""Units of activity concentration, as tables and sequences write them."""

from __future__ import annotations

#: kBq/mL in each unit; names in lower case
ACTIVITY_UNITS = {
    f"{prefix}/{volume}": factor
    for prefix, factor in {"bq": 1e-3, "kbq": 1.0, "mbq": 1e3, "nci": 0.037, "uci": 37.0}.items()
    for volume in ("ml", "cc")
}
