"""Region statistics, Bland-Altman, figures and the report."""
