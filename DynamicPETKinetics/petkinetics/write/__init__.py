"""Writers: NIfTI and DICOM images, volume sequences, tables, curves, and the folders of results."""
