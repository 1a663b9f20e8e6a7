"""A job as JSON: how it travels to the background process."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, get_args, get_origin, get_type_hints

from petkinetics.errors import InputError
from petkinetics.job import JOBS, AnyJob


def job_to_json(job: AnyJob) -> str:
    """The job as the text of a job file."""
    return json.dumps({"job": job.kind, **asdict(job)}, indent=2, ensure_ascii=False)


def job_from_json(text: str) -> AnyJob:
    """The job in the text of a job file.

    :raises InputError: it is no job, or has keys that this version does not know.
    """
    try:
        content: dict[str, Any] = dict(json.loads(text))
        kind = content.pop("job")
        _require_types(JOBS[kind], content)
        return JOBS[kind](**content)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"The job file cannot be understood ({error}).", "Was it made by another version?") from error


def _require_types(job: type[AnyJob], content: dict[str, Any]) -> None:
    """Refuse values of another kind than the job's (3 for a path): they would surface as faults later."""
    hints = get_type_hints(job)
    for name, value in content.items():
        if name in hints and not _fits(value, hints[name]):
            raise InputError(f"The job file gives {value!r} for {name}, which is not what belongs there.")


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(isinstance(v, str) for v in (*value, *value.values()))
    kinds = get_args(hint) or (hint,)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, (*kinds, int) if float in kinds else kinds)
