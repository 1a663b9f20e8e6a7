"""ctk's path fields, combo and check boxes."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from standin.panel.declared import with_properties


class ctkPathLineEdit(
    with_properties(  # type: ignore[misc]
        QtWidgets.QWidget,
        label=(str, ""),
        filters=(object, 0),
        settingKey=(str, ""),
        showBrowseButton=(bool, True),
        showHistoryButton=(bool, True),
        minimumContentsLength=(int, 17),
        nameFilters=(tuple, ()),
    )
):
    """A path, typed or chosen in a dialog."""

    Files, Dirs, Readable, Writable = 0x002, 0x001, 0x010, 0x020
    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)
    SIGNALS = ("currentPathChanged(QString)", "validInputChanged(bool)")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setEditable(True)
        self._button = QtWidgets.QToolButton(self)
        self._button.setText("…")
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo, 1)
        row.addWidget(self._button)
        self._combo.currentTextChanged.connect(self.currentPathChanged)
        self._button.clicked.connect(self.browse)

    def comboBox(self) -> Any:
        """The field."""
        return self._combo

    def _path(self) -> str:
        return str(self._combo.currentText)

    def setCurrentPath(self, path: str) -> None:
        """Show a path."""
        self._combo.setEditText(path)

    currentPath = QtCore.Property(str, _path, setCurrentPath)

    def addCurrentPathToHistory(self) -> None:
        """Nothing is remembered."""

    def browse(self) -> None:
        """Ask for a path."""
        import qt

        answer = (
            qt.QFileDialog.getExistingDirectory(None, self.label)
            if int(self.filters) & self.Dirs
            else qt.QFileDialog.getOpenFileName(None, self.label, "", ";;".join(self.nameFilters))
        )
        if answer:
            self.setCurrentPath(answer)

    def _updated(self, _name: str) -> None:
        self._button.setVisible(self.showBrowseButton)


class ctkDirectoryButton(with_properties(QtWidgets.QWidget, caption=(str, ""))):  # type: ignore[misc]
    """A button that shows a folder and asks for another."""

    directoryChanged = QtCore.Signal(str)
    directorySelected = QtCore.Signal(str)
    SIGNALS = ("directoryChanged(QString)", "directorySelected(QString)")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._button = QtWidgets.QPushButton(self)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._button)
        self._folder = ""
        self._button.clicked.connect(self.browse)

    def _get_directory(self) -> str:
        return self._folder

    def setDirectory(self, path: str) -> None:
        """Show a folder."""
        changed, self._folder = path != self._folder, path
        self._button.setText(path)
        if changed:
            self.directoryChanged.emit(path)

    directory = QtCore.Property(str, _get_directory, setDirectory, notify=directoryChanged)

    def browse(self) -> None:
        """Ask for a folder."""
        import qt

        answer = qt.QFileDialog.getExistingDirectory(None, self.caption)
        if answer:
            self.setDirectory(answer)
            self.directorySelected.emit(answer)


class ctkComboBox(
    with_properties(QtWidgets.QComboBox, defaultText=(str, ""), forceDefault=(bool, False))  # type: ignore[misc]
):
    """A combo box that has a text for no choice."""

    def _updated(self, _name: str) -> None:
        self.setPlaceholderText(self.defaultText)


class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box."""


class ctkCheckablePushButton(
    with_properties(QtWidgets.QPushButton, checkBoxControlsButtonToggleState=(bool, True))  # type: ignore[misc]
):
    """A push button; its check box is not drawn."""

    checkBoxToggled = QtCore.Signal(bool)
    SIGNALS = ("checkBoxToggled(bool)",)


class ctkColorPickerButton(QtWidgets.QPushButton):
    """A button with a colour."""

    colorChanged = QtCore.Signal(QtGui.QColor)
    SIGNALS = ("colorChanged(QColor)",)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._color = QtGui.QColor(0, 0, 0)

    def _get_color(self) -> Any:
        return self._color

    def setColor(self, color: Any) -> None:
        """Another colour."""
        changed, self._color = color != self._color, color
        if changed:
            self.colorChanged.emit(color)

    color = QtCore.Property(QtGui.QColor, _get_color, setColor, notify=colorChanged)


class ctkMessageBox(QtWidgets.QMessageBox):
    """Raises instead of waiting, like every dialog here."""
