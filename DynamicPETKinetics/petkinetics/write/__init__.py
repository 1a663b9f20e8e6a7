"""Writers: NIfTI maps, tables, DICOM parametric maps."""
