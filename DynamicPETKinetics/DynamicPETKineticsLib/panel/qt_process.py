"""Qt's child process, in the subset that behaves alike under PythonQt (Qt 5.15 and 6) and PySide6."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import qt

#: processes that have not ended: a Qt signal may not keep the Python object of its slot alive
_running: set[QtProcess] = set()


class QtProcess:
    """A :class:`~DynamicPETKineticsLib.process.process.Process` on a QProcess.

    Its slots declare no arguments and ask the process: of ``finished``, which has two overloads in Qt 5.15,
    PythonQt takes the one that a slot of two parameters does not fit.
    """

    def __init__(self) -> None:
        self.on_output: Callable[[], None] = _nobody
        self.on_finished: Callable[[], None] = _nobody
        self.on_failed_to_start: Callable[[], None] = _nobody
        self._has_started = self._has_ended = False
        self._process = qt.QProcess()
        self._process.started.connect(self._on_started)
        self._process.readyReadStandardOutput.connect(self._on_output)
        self._process.readyReadStandardError.connect(self._on_output)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)

    def start(self, program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """See Process."""
        variables = qt.QProcessEnvironment.systemEnvironment()
        for name, value in environment.items():
            variables.insert(name, value)
        self._process.setProcessEnvironment(variables)
        _running.add(self)
        self._process.start(program, list(arguments))

    def write(self, data: bytes) -> None:
        """See Process."""
        if not self._has_ended:
            self._process.write(data)

    def close_input(self) -> None:
        """See Process."""
        self._process.closeWriteChannel()

    def terminate(self) -> None:
        """See Process."""
        if not self._has_ended:
            self._process.terminate()

    def kill(self) -> None:
        """See Process."""
        if not self._has_ended:
            self._process.kill()

    def wait(self, milliseconds: int) -> bool:
        """See Process."""
        if not self._has_ended:
            self._process.waitForFinished(milliseconds)
        return self._has_ended

    def read_output(self) -> bytes:
        """See Process."""
        return bytes(self._process.readAllStandardOutput().data())

    def read_errors(self) -> bytes:
        """See Process."""
        return bytes(self._process.readAllStandardError().data())

    def exit_code(self) -> int:
        """See Process."""
        return int(self._process.exitCode())

    def _on_started(self) -> None:
        self._has_started = True

    def _on_output(self) -> None:
        self.on_output()

    def _on_finished(self) -> None:
        self._let_go()
        self.on_finished()

    def _on_error(self) -> None:
        # What goes wrong later is a crash, of which finished tells, or a write to a process that has just ended.
        if not self._has_started and not self._has_ended:
            self._let_go()
            self.on_failed_to_start()

    def _let_go(self) -> None:
        self._has_ended = True
        # Not at once: Qt is still inside the call that told of the end.
        qt.QTimer.singleShot(0, self._forget)

    def _forget(self) -> None:
        _running.discard(self)


def _nobody() -> None:
    """Takes the place of a callback when nobody listens."""
