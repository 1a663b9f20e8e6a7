"""``slicer.modules`` and the module manager."""

from __future__ import annotations

from types import ModuleType
from typing import Any


class LoadableModule:
    """A C++ module without its widget."""

    hidden = False
    path = ""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = name
        self.title = name
        self._logic = logic

    def logic(self) -> Any:
        """The module's logic, the same object at every call."""
        return self._logic

    def widgetRepresentation(self) -> None:
        """No C++ widget exists here."""


class SequencesModule(LoadableModule):
    """The sequences module, whose toolbar would show a browser."""

    autoShowToolBar = True
    toolBarVisible = False

    @staticmethod
    def showSequenceBrowser(browser: Any) -> bool:
        """Nothing to see here.

        Raises:
            TypeError: not a sequence browser node.
        """
        if not browser.IsA("vtkMRMLSequenceBrowserNode"):
            raise TypeError(f"not a sequence browser: {browser.GetClassName()}")
        return True


class FactoryManager:
    """Names of what is loaded."""

    def __init__(self, loaded: dict[str, Any]) -> None:
        self._loaded = loaded

    def loadedModuleNames(self) -> list[str]:
        """As Slicer spells them, not in lower case."""
        return list(self._loaded)

    def isLoaded(self, name: str) -> bool:
        """Is a module of this name loaded?"""
        return name in self._loaded

    def loadedModule(self, name: str) -> Any:
        """The module, None when it isn't loaded."""
        return self._loaded.get(name)


class ModuleManager:
    """``slicer.app.moduleManager()``."""

    def __init__(self, modules: ModuleType, names: ModuleType) -> None:
        self._loaded: dict[str, Any] = {}
        self._modules, self._names = modules, names
        self._factory = FactoryManager(self._loaded)

    def factoryManager(self) -> FactoryManager:
        """What Slicer's own is asked for in scripts."""
        return self._factory

    def modulesNames(self) -> list[str]:
        """All modules."""
        return list(self._loaded)

    def module(self, name: str) -> Any:
        """The module, None when there is none of that name."""
        return self._loaded.get(name)


def register(manager: ModuleManager, module: Any) -> None:
    """Make `module` known as ``slicer.modules.<name in lower case>``; scripted modules may use this, too."""
    manager._loaded[module.name] = module
    setattr(manager._modules, module.name.lower(), module)
    setattr(manager._names, module.name, module.name)
