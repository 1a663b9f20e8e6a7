"""``slicer.packaging`` in testing mode: it checks, and installs nothing."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any


def load_requirements(path: str | Path) -> list[Any]:
    """Requirements of a file, without comments and options."""
    from packaging.requirements import Requirement

    lines = (line.split("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def _requirements(requirements: Any) -> list[Any]:
    from packaging.requirements import Requirement

    if isinstance(requirements, str):
        requirements = requirements.split()
    elif not isinstance(requirements, (list, tuple)):
        requirements = [requirements]
    return [Requirement(item) if isinstance(item, str) else item for item in requirements]


def pip_check(requirements: Any) -> bool:
    """Is everything there, in a version that satisfies?"""
    for requirement in _requirements(requirements):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if not requirement.specifier.contains(version, prereleases=True):
            return False
    return True


def pip_ensure(requirements: Any, *, requester: str | None = None, skip_in_testing: bool = True, **_: Any) -> None:
    """What Slicer does under ``--testing``: nothing, whether or not something is missing.

    Raises:
        RuntimeError: asked to install all the same.
    """
    assert requester is None or isinstance(requester, str)
    if not skip_in_testing and not pip_check(requirements):
        raise RuntimeError("the stand-in installs nothing")


def pip_install(requirements: Any, **_: Any) -> None:
    """Refused: a test must not change the environment that it runs in.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(f"the stand-in installs nothing: {requirements}")


def pip_uninstall(requirements: Any, **_: Any) -> None:
    """Refused, too; RuntimeError always."""
    raise RuntimeError(f"the stand-in removes nothing: {requirements}")
