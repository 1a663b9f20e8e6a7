"""Notices that the scene, or a node that a run works for, goes away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import slicer
from DynamicPETKineticsLib.translation import _


class SceneWatch:
    """Calls *gone* once, with the reason, when the scene is closed or one of the nodes removed.

    Nodes are remembered by their IDs.

    :param nodes: of the scene.
    :param gone: gets a sentence.
    """

    def __init__(self, nodes: Sequence[Any], gone: Callable[[str], None]) -> None:
        self._nodes = {node.GetID(): node.GetName() for node in nodes}
        self._gone: Callable[[str], None] | None = gone
        scene = self._scene = slicer.mrmlScene
        self._tags = [
            scene.AddObserver(scene.StartCloseEvent, self._on_close),
            scene.AddObserver(scene.NodeRemovedEvent, self._on_removed),
        ]

    def missing(self) -> str:
        """Why there is nothing left to work for; "" while all nodes are there."""
        for node_id, name in self._nodes.items():
            if self._scene.GetNodeByID(node_id) is None:
                return _("'{name}' was removed from the scene.").format(name=name)
        return ""

    def stop(self) -> None:
        """Watch no more."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags, self._gone = [], None

    def _on_close(self, _caller: Any, _event: Any) -> None:
        self._tell(_("The scene was closed."))

    def _on_removed(self, _caller: Any, _event: Any) -> None:
        reason = self.missing()
        if reason:
            self._tell(reason)

    def _tell(self, reason: str) -> None:
        gone, self._gone = self._gone, None
        if gone is not None:
            gone(reason)
