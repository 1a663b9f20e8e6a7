"""Exact kinetics: convolution of piecewise-linear input functions, compartment and graphical models."""
