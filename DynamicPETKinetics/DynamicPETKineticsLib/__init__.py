"""The Slicer side of DynamicPETKinetics: it translates between the scene and the engine.

Rooms, each importing only from those above it and from the engine: ``process`` (the background process),
``scene`` (series), ``regions`` (segments, curves, statistics), ``results`` (maps), ``runs`` (one run from the
scene and back), ``panel`` (what people see; the only room that imports qt).
"""
