"""A random head and upper neck, for the anatomies that show one."""

from petkinetics.simulate.head.layers import paint_head
from petkinetics.simulate.head.template import HEAD_TISSUES, HeadTemplate

__all__ = ["HEAD_TISSUES", "HeadTemplate", "paint_head"]
