"""Slicer's DICOM side: the database, ``DICOMLib``, what scripted plugins return."""
