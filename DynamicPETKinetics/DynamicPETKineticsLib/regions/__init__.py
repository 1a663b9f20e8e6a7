"""Segments as regions: masks, the blood curve, region curves, tables and agreement."""
