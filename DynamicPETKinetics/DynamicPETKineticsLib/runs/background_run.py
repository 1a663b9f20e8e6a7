"""One run: from the scene into a temporary folder, through the background process, and back into the scene."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from DynamicPETKineticsLib.process.faults import in_words
from DynamicPETKineticsLib.process.signal import Signal
from DynamicPETKineticsLib.process.steps import Steps
from DynamicPETKineticsLib.runs.panel_words import in_panel_words
from DynamicPETKineticsLib.runs.scene_watch import SceneWatch
from DynamicPETKineticsLib.runs.services import Services
from DynamicPETKineticsLib.translation import _
from petkinetics.job import AnyJob


class BackgroundRun:
    """What estimates, searches, exports, reports and simulations share. One object is one run.

    Signals: ``progressed(fraction, message, remaining_s | None)`` over the whole run, ``warned(sentence)``,
    ``logged(line)``, and exactly one of ``finished(...)``, ``failed(message, hint)``, ``cancelled()``. The
    temporary folder is removed in all cases. Nothing blocks: what happens in this process happens in steps.

    A kind of run says what to hand over (:meth:`_prepare`), what to take back (:meth:`_take`) and how
    ``finished`` tells it.

    :param services: ticks, processes, temporary folders.
    """

    #: last name of the temporary folder
    what: ClassVar[str]
    #: shares of the progress bar: handing over, and taking back
    share_before: ClassVar[float] = 0.1
    share_after: ClassVar[float] = 0.1

    def __init__(self, services: Services) -> None:
        self.progressed = Signal()
        self.warned = Signal()
        self.logged = Signal()
        self.finished = Signal()
        self.failed = Signal()
        self.cancelled = Signal()
        self._services = services
        self._steps = Steps(services.ticker())
        self._worker = services.worker()
        self._worker.progressed.connect(self._on_worker_progress)
        self._worker.warned.connect(self._warn)
        self._worker.logged.connect(self.logged.emit)
        self._worker.done.connect(self._on_worker_done)
        self._worker.failed.connect(self._on_worker_failed)
        self._worker.cancelled.connect(self._on_worker_cancelled)
        self._folder: Path | None = None
        self._watch: SceneWatch | None = None
        #: why it is being stopped; "" where the user asked for it
        self._reason: str | None = None

    # ------------------------------------------------------------------------- what kinds of runs define

    def _prepare(self, folder: Path) -> Generator[float, None, AnyJob | Path]:
        """Write into *folder* what the job needs, a little a step.

        :returns: the job; or a result that is there already.
        """
        raise NotImplementedError

    def _take(self, result: Path) -> Generator[float, None, tuple[Any, ...]]:
        """Bring the result into the scene, a little a step.

        :returns: what ``finished`` tells.
        """
        raise NotImplementedError

    def _messages(self) -> tuple[str, str]:
        """What the user reads while it hands over, and while it takes back."""
        return _("Handing over the series"), _("Loading the result")

    # ----------------------------------------------------------------------------------------- from outside

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._folder is not None

    def cancel(self) -> None:
        """Stop; ``cancelled`` follows, at once or when the background process has ended."""
        if self.running and self._reason is None:
            self._stop("")

    def shutdown(self) -> None:
        """See Services."""
        self._worker.shutdown()
        self._steps.cancel()
        self._close()

    # ------------------------------------------------------------------------------------------- the phases

    def _begin(self, nodes: Sequence[Any]) -> None:
        """Start, for a scene in which these nodes stay."""
        if self.running:
            raise RuntimeError("this run is under way already")
        try:
            self._folder = self._services.temp_folders.make(self.what)
        except Exception as error:
            self._refuse(error)
            return
        self._reason = None
        self._began = time.monotonic()
        self._services.keep(self)
        self._watch = SceneWatch(nodes, self._stop)
        self._before, self._after = self._messages()
        self._steps.run(self._prepare(self._folder), self._on_prepared, self._on_fault, self._on_prepare_progress)

    def _refuse(self, error: Exception) -> None:
        """Something is wrong before anything has begun."""
        message, hint = in_words(error)
        self.failed.emit(in_panel_words(message), in_panel_words(hint))

    def _on_prepare_progress(self, share: float) -> None:
        self.progressed.emit(self.share_before * share, self._before, None)

    def _on_prepared(self, job: AnyJob | Path) -> None:
        self._log_time(self._before)
        if isinstance(job, Path):
            self._on_worker_done(job)
            return
        assert self._folder is not None
        self._worker.start(job, self._folder)

    def _on_worker_progress(self, fraction: float, message: str, remaining_s: float | None) -> None:
        whole = self.share_before + (1.0 - self.share_before - self.share_after) * fraction
        self.progressed.emit(whole, message, remaining_s)

    def _on_worker_done(self, result: Path) -> None:
        self._log_time(_("Computing"))
        reason = self._watch.missing() if self._watch is not None else ""
        if reason:
            self._tell_stopped(reason)
            return
        self._steps.run(self._take(result), self._on_taken, self._on_fault, self._on_take_progress)

    def _on_take_progress(self, share: float) -> None:
        self.progressed.emit(1.0 - self.share_after * (1.0 - share), self._after, None)

    def _on_taken(self, told: tuple[Any, ...]) -> None:
        self._log_time(self._after)
        self._close()
        self.finished.emit(*told)

    # ---------------------------------------------------------------------------------------------- its end

    def _on_fault(self, error: Exception) -> None:
        self._close()
        self._refuse(error)

    def _on_worker_failed(self, _kind: str, message: str, hint: str) -> None:
        reason = self._reason
        self._close()
        if reason:
            self._tell_reason(reason)
        else:
            self.failed.emit(in_panel_words(message), in_panel_words(hint))

    def _on_worker_cancelled(self) -> None:
        self._tell_stopped(self._reason or "")

    def _stop(self, reason: str) -> None:
        """The user, or the scene, has no more use for it."""
        # A scene that is closed while a cancel is under way changes nothing.
        if self._reason is not None or not self.running:
            return
        self._reason = reason
        if self._worker.running:
            self._worker.cancel()
        else:
            self._steps.cancel()
            self._tell_stopped(reason)

    def _tell_stopped(self, reason: str) -> None:
        self._close()
        if reason:
            self._tell_reason(reason)
        else:
            self.cancelled.emit()

    def _tell_reason(self, reason: str) -> None:
        self.failed.emit(reason, _("The run was stopped; nothing was kept."))

    def _close(self) -> None:
        """No longer running: watch nothing, keep nothing."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        folder, self._folder = self._folder, None
        self._services.let_go(self)
        if folder is not None:
            self._services.discard(folder)

    def _warn(self, sentence: str) -> None:
        self.warned.emit(in_panel_words(sentence))

    def _log_time(self, what: str) -> None:
        now = time.monotonic()
        self.logged.emit(f"{what}: {now - self._began:.1f} s")
        self._began = now


def scaled(steps: Generator[float, None, Any], first: float, last: float) -> Generator[float, None, Any]:
    """Steps of a part of the work, as shares of the whole between *first* and *last*."""
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            return end.value
        try:
            yield first + (last - first) * share
        except GeneratorExit:
            steps.close()
            raise
