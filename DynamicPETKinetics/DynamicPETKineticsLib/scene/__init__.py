"""Dynamic series in the scene: sequences to and from the engine, frame times, window averages."""
