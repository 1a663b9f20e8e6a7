"""A random thorax and upper abdomen."""

from petkinetics.simulate.thorax.body import Thorax

__all__ = ["Thorax"]
