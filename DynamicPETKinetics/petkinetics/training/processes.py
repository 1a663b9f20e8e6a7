"""Several processes: those that train one network (torchrun), and the workers that draw its examples."""

from __future__ import annotations

import os
import time

import numpy as np
import torch
from torch.utils.data import get_worker_info

from petkinetics.errors import InputError


def start_processes(device: str) -> torch.device:
    """The device of this process; joins the others when ``torchrun`` started it.

    :raises InputError: *device* is "cuda", and there is none.
    """
    # weights that no longer matter become tiny, and a processor takes a hundred times longer for such numbers
    torch.set_flush_denormal(True)
    cuda = device != "cpu" and torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise InputError("There is no CUDA device.", "Use --device auto or --device cpu.")
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if "WORLD_SIZE" in os.environ and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if cuda else "gloo")
    return torch.device("cuda", local) if cuda else torch.device("cpu")


def rank() -> int:
    """The number of this process among those that train one network; 0 where it is alone."""
    return int(torch.distributed.get_rank()) if torch.distributed.is_initialized() else 0


def is_first() -> bool:
    """Whether this process is the one that simulates, reports and writes."""
    return rank() == 0


def shared(value: bool, device: torch.device) -> bool:
    """What the first process says, in all of them.

    :param device: of this process.
    """
    if not torch.distributed.is_initialized():
        return value
    told = torch.tensor([float(value)], device=device)
    torch.distributed.broadcast(told, 0)
    return bool(told.item())


def worker_rng(seed: int) -> np.random.Generator:
    """Random numbers of a worker that draws examples: others in each worker and at each start; on one thread.

    :param seed: another one for each process that trains.
    """
    worker = get_worker_info()
    torch.set_num_threads(1)
    return np.random.default_rng([seed, worker.id if worker else 0, time.time_ns() % 2**32])
