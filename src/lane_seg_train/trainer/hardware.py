"""On what a run runs: devices, threads, and the processes that share it."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ['Hardware', 'Processes', 'leave_group', 'processes_of']


@dataclass(frozen=True)
class Hardware:
    """On what a run runs.

    Attributes:
        devices: GPUs (or, without any, CPU processes) of this machine.
        threads: CPU threads of each process, 0 for all.
        accelerator: 'auto', 'cpu' or 'gpu'.
    """

    devices: int = 1
    threads: int = 0
    accelerator: str = 'auto'


@dataclass(frozen=True)
class Processes:
    """Who takes part in a run.

    Attributes:
        rank: of this process among all.
        world: number of processes on all machines.
        devices: processes on this machine.
        nodes: machines.
    """

    rank: int
    world: int
    devices: int
    nodes: int


def processes_of(hardware: Hardware) -> Processes:
    """Who takes part: said by `torchrun`, or by Lightning to the processes that it starts."""
    local = int(os.environ.get('LOCAL_WORLD_SIZE', hardware.devices))
    world = int(os.environ.get('WORLD_SIZE', local))
    rank = int(os.environ.get('RANK', os.environ.get('LOCAL_RANK', 0)))
    return Processes(rank, world, local, max(1, world // local))


def leave_group() -> None:
    """End what the processes of a run have shared; nothing where there is one process.

    Threads of gloo that still run while a process ends abort it ("terminate called without an
    active exception"), and torchrun then calls a finished run failed.
    """
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
