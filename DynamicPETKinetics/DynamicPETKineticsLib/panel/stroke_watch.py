"""Follows the strokes in a segmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

import slicer


class StrokeWatch:
    """Tells once after a stroke, which fires several events, and after what undo, add and delete do to segments.

    :param changed: called when the brush's own work is done.
    :param delay_ms: how long to wait, so that a row of strokes is told of once.
    """

    def __init__(self, changed: Callable[[], None], delay_ms: int = 0) -> None:
        self._changed, self._delay_ms = changed, delay_ms
        self._observed: tuple[Any, list[int]] | None = None
        self._waiting = False

    def watch(self, segmentation: Any) -> None:
        """Follow this segmentation from now on; None for none."""
        # The node may be given other contents, as scripts do.
        watched = segmentation.GetSegmentation() if segmentation is not None else None
        if self._observed is not None and self._observed[0] is watched:
            return
        self.close()
        if watched is not None:
            kinds = slicer.vtkSegmentation
            events = (
                kinds.SourceRepresentationModified,
                kinds.SegmentAdded,
                kinds.SegmentRemoved,
                # Undo and redo tell of modified segments only.
                kinds.SegmentModified,
            )
            self._observed = (watched, [watched.AddObserver(event, self._on_event) for event in events])

    def close(self) -> None:
        """Let go of the segmentation."""
        if self._observed is not None:
            watched, tags = self._observed
            for tag in tags:
                watched.RemoveObserver(tag)
            self._observed = None

    def _on_event(self, _caller: Any = None, _event: Any = None) -> None:
        if not self._waiting:
            self._waiting = True
            qt.QTimer.singleShot(self._delay_ms, self._tell)

    def _tell(self) -> None:
        self._waiting = False
        self._changed()
