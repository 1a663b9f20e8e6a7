"""A Designer file with a node selector and a button, and how tests load one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer

SELECTOR = """
<widget class="qMRMLWidget" name="top"><layout class="QVBoxLayout" name="rows">
 <item><widget class="qMRMLNodeComboBox" name="selector">
  <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
  <property name="noneEnabled"><bool>true</bool></property>
  <property name="SlicerParameterName" stdset="0"><string>volume</string></property>
 </widget></item>
 <item><widget class="QPushButton" name="run"><property name="text"><string>Run</string></property></widget></item>
</layout></widget>
<connections><connection><sender>top</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
 <receiver>selector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections>
"""


def load_ui(text: str, tmp_path: Path) -> Any:
    """The top widget of a Designer file with this content."""
    path = tmp_path / "panel.ui"
    path.write_text(f'<ui version="4.0"><class>Panel</class>{text}</ui>', encoding="utf-8")
    return slicer.util.loadUI(str(path))
