"""However a run ends - killed, disk full, folder gone - no result looks complete that is not."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from synthetic import Patient

from petkinetics.cli import main
from petkinetics.errors import InputError, ResourceError
from petkinetics.write.claims import ClaimedFolder, remove_abandoned
from petkinetics.write.staging import staged_files, staged_folder

COMPLETE = {"ki", "v0", "ki_sd", "v0_sd", "residual"}


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments of an estimate, without its output; it has run once, so that all modules are loaded."""
    folder = tmp_path_factory.mktemp("patient")
    pet = Patient().save(folder)
    arguments = ["estimate", str(pet), "--roi", str(folder / "aorta.nii"), "--method", "patlak"]
    assert main([*arguments, "-o", str(folder / "first")]) == 0
    return arguments


@pytest.fixture(scope="module")
def steps(patient: list[str], tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many steps of writing a whole run takes."""
    out = tmp_path_factory.mktemp("counted")

    def run() -> int:
        def note(number: int) -> None:
            (out / "steps").unlink(missing_ok=True)
            (out / "steps").touch()
            os.truncate(out / "steps", number)

        count_steps(note)
        return main([*patient, "-o", str(out / "out")])

    assert in_child(run) == 0
    return (out / "steps").stat().st_size


def in_child(act: Callable[[], object]) -> int:
    """Run in a forked process that ends without cleaning up; its raw wait status."""
    child = os.fork()
    if child == 0:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        status = 70
        try:
            status = int(act() or 0)
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def count_steps(tell: Callable[[int], object]) -> None:
    """Call *tell* with a running number at every call of a function of petkinetics.write, in and out."""
    steps = 0

    def watch(frame: FrameType, event: str, _: object) -> None:
        nonlocal steps
        if event in ("call", "return") and "petkinetics/write/" in frame.f_code.co_filename:
            steps += 1
            tell(steps)

    sys.setprofile(watch)


def complete(out: Path) -> bool:
    names = {path.name.split(".")[0] for path in out.iterdir()}
    return COMPLETE | {"result", "input_function", "input_function_frames"} <= names


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".petkinetics-"))


@pytest.mark.parametrize("moment", range(50))
def test_a_killed_run_leaves_a_whole_result_or_none_and_the_next_start_clears_up(
    patient: list[str], steps: int, tmp_path: Path, moment: int
) -> None:
    """The process kills itself at 50 steps of writing, spread over the whole run."""
    fatal = 1 + moment * (steps - 1) // 49

    def run() -> int:
        def kill_at(step: int) -> None:
            if step == fatal:
                os.kill(os.getpid(), signal.SIGKILL)

        count_steps(kill_at)
        return main([*patient, "-o", str(tmp_path / "out")])

    status = in_child(run)
    assert os.WIFSIGNALED(status)
    if (tmp_path / "out").exists():
        assert complete(tmp_path / "out")
    assert main([*patient, "-o", str(tmp_path / "again")]) == 0
    assert complete(tmp_path / "again")
    assert leftovers(tmp_path) == []


def test_a_full_disk_at_any_write_leaves_nothing(
    patient: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every write of the run fails in turn, until none is left to fail."""
    from petkinetics.write import nifti

    writes = failing = 0

    def full() -> None:
        nonlocal writes
        writes += 1
        if writes == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    put, text = nifti.NiftiWriter._put, Path.write_text

    def failing_put(self: nifti.NiftiWriter, data: bytes) -> None:
        full()
        put(self, data)

    def failing_text(self: Path, *args: object, **kwargs: object) -> int:
        full()
        return text(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(nifti.NiftiWriter, "_put", failing_put)
    monkeypatch.setattr(Path, "write_text", failing_text)
    for failing in range(1, 200):
        writes = 0
        status = main([*patient, "-o", str(tmp_path / "out")])
        if writes < failing:
            break
        assert status == 1
        assert "disk" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []
    assert status == 0
    assert failing > 10
    assert complete(tmp_path / "out")


def test_a_limit_on_the_size_of_files_is_told_as_a_full_disk(patient: list[str], tmp_path: Path) -> None:
    import resource

    def run() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        return main([*patient, "-o", str(tmp_path / "out")])

    status = in_child(run)
    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == 1
    assert list(tmp_path.iterdir()) == []


def test_removing_the_unfinished_folder_stops_the_run_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="was removed"), staged_folder(tmp_path / "out") as folder:
        shutil.rmtree(folder)
        (folder / "ki.nii").write_bytes(b"x")
    with pytest.raises(ResourceError, match="was removed"), staged_folder(tmp_path / "out") as folder:
        shutil.rmtree(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_still_being_filled_is_not_taken_for_abandoned(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "one") as first:
        (first / "map").write_text("1")
        assert in_child(lambda: remove_abandoned(tmp_path)) == 0
        with staged_folder(tmp_path / "two") as second:
            (second / "map").write_text("2")
        assert (first / "map").read_text() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_folder_whose_process_died_is_removed(tmp_path: Path) -> None:
    def die() -> None:
        folder = ClaimedFolder.make(tmp_path)
        (folder.path / "map").write_text("patient")
        os.kill(os.getpid(), signal.SIGKILL)

    assert os.WIFSIGNALED(in_child(die))
    assert len(leftovers(tmp_path)) == 2
    remove_abandoned(tmp_path)
    assert leftovers(tmp_path) == []


def test_a_folder_without_a_claim_is_removed_after_a_while_and_not_before(tmp_path: Path) -> None:
    folder = tmp_path / ".petkinetics-lost"
    folder.mkdir()
    remove_abandoned(tmp_path)
    assert folder.exists()
    long_ago = time.time() - 3600
    os.utime(folder, (long_ago, long_ago))
    remove_abandoned(tmp_path)
    assert not folder.exists()


def test_while_it_is_filled_only_its_owner_may_enter_and_its_name_tells_nothing(tmp_path: Path) -> None:
    with staged_folder(tmp_path / "Doe_Jane") as folder:
        assert folder.stat().st_mode & 0o077 == 0
        assert "doe" not in folder.name.lower()


def test_files_for_a_folder_that_is_not_there_appear_with_it_in_one_step(tmp_path: Path) -> None:
    def run(die: bool) -> None:
        with staged_files(tmp_path / "dicom", ["a", "b"]) as folder:
            (folder / "a").write_text("a")
            assert not (tmp_path / "dicom").exists()
            (folder / "b").write_text("b")
            if die:
                os.kill(os.getpid(), signal.SIGKILL)

    in_child(lambda: run(die=True))
    assert not (tmp_path / "dicom").exists()
    run(die=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dicom"]
    with pytest.raises(InputError, match="already holds"), staged_files(tmp_path / "dicom", ["b", "c"]):
        pass
