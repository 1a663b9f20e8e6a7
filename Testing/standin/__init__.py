"""What slicer-core lacks of a running Slicer, so that unmodified module code runs in a test.

``from standin.application import start`` and ``start()``; see README.md for what this is and what it is not.
"""
