"""A random person from the vertex to the thighs."""

from petkinetics.simulate.total_body.body import TotalBody

__all__ = ["TotalBody"]
