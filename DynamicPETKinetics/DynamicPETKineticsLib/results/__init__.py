"""Results in the scene: maps and tables, how they look, saving, exporting, reporting."""
