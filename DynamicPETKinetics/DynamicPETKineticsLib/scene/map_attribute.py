"""What tells a volume in the scene from a parametric map."""

#: attribute of a volume: name of its quantity, such as "ki"
MAP = "DynamicPET.Map"
