"""What tells a volume in the scene from a parametric map, and a map how it was made."""

#: attribute of a volume: name of its quantity, such as "ki"
MAP = "DynamicPET.Map"
#: of a map: how it was made, as JSON
PROVENANCE = "DynamicPET.Provenance"
