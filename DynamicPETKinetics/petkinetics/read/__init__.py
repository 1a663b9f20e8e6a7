"""Readers: DICOM, NIfTI, curves and regions become series, curves and masks."""
