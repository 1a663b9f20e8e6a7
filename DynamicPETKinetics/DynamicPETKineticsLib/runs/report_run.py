"""The report of a result, drawn in the background."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from DynamicPETKineticsLib.runs.background_run import BackgroundRun
from DynamicPETKineticsLib.runs.written import Written
from DynamicPETKineticsLib.translation import _
from petkinetics.job import AnyJob

if TYPE_CHECKING:
    from DynamicPETKineticsLib.results.result_nodes import ResultNodes
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
    from petkinetics.evaluate.compare import Comparison


class ReportRun(BackgroundRun):
    """Writes a report from the scene alone; ``finished(Written)``."""

    what: ClassVar[str] = "report"
    share_before: ClassVar[float] = 0.2
    share_after: ClassVar[float] = 0.02

    def start(
        self,
        result: ResultNodes,
        to: Path,
        segmentation: Any = None,
        sequence: DynamicSequence | None = None,
        rows: Sequence[Mapping[str, object]] = (),
        comparison: Comparison | None = None,
    ) -> None:
        """Begin; parameters as :func:`DynamicPETKineticsLib.results.report.report_steps` has them.

        :param to: HTML file; an earlier one is replaced.
        """
        self._result, self._to = result, to
        self._more = {"segmentation": segmentation, "sequence": sequence, "rows": rows, "comparison": comparison}
        self._begin([result.record_node])

    def _messages(self) -> tuple[str, str]:
        return _("Handing over the result"), _("Saving the report")

    def _prepare(self, folder: Path) -> Generator[float, None, AnyJob]:
        from DynamicPETKineticsLib.results.report import report_steps

        job = yield from report_steps(self._result, folder, **self._more)
        return job

    def _take(self, result: Path) -> Generator[float, None, tuple[Any, ...]]:
        from DynamicPETKineticsLib.results.report import deliver

        yield 0.5
        to = deliver(result, self._to)
        return (Written((to,), _("The report was saved as {name}.").format(name=to.name)),)
