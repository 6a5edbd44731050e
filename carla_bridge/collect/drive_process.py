"""The process that records one town: `python -m carla_bridge.collect.drive_process JOB`.

A process of its own, for the simulator's client may crash, hang where no time-out applies, and
grows with each town that it loads. It ends in good order on SIGTERM, which also comes when its
supervisor dies, and by force when it hangs.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from carla_bridge.collect.drive_recorder import EGO_ROLE, DriveRecorder
from carla_bridge.collect.frame_writer import FrameWriter
from carla_bridge.collect.job import Failure, Job, Reporter
from carla_bridge.collect.server_watch import ServerWatch
from carla_bridge.connection import CarlaError, connect
from carla_bridge.recording.blocks import SPLITS, RouteBlocks
from carla_bridge.recording.folder import locked
from carla_bridge.recording.recording import Recording
from carla_bridge.recording.sweep import drives_of
from carla_bridge.traffic import ROLE
from carla_bridge.world_session import WorldSession
from lane_seg.errors import LaneSegError
from lane_seg.leave_process import leave_process

if TYPE_CHECKING:
    import carla

__all__ = ['main']

LOG = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_LOCK_WAIT_S = 20.0
_TICKED_BY_OTHERS_S = 2.0
_ROAD_POINTS_M = 4.0
_FAILED = 1


class _StopError(Exception):
    """SIGTERM has come, or nobody reads the events any more."""


class _DriveProcess:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._reporter = Reporter(job.events)
        self._stopping = False
        self._server: ServerWatch | None = None

    def run(self) -> int:
        """Record; returns the exit code."""
        job = self._job
        try:
            self._reporter.send('alive')
            try:
                client = connect(job.host, job.port, timeout_s=job.timeout_s)
            except CarlaError as error:
                return self._failed(Failure.SERVER, error)
            self._record(client)
        except (_StopError, BrokenPipeError):
            with contextlib.suppress(BrokenPipeError):
                self._reporter.send('stopped')
        except CarlaError as error:
            return self._failed(Failure.SIMULATOR, error)
        except LaneSegError as error:
            return self._failed(Failure.FINAL, error)
        except RuntimeError as error:
            # Whatever the client throws, time-outs for the most part.
            return self._failed(Failure.SIMULATOR, error)
        return 0

    def stop(self, number: int, frame: object) -> None:
        """Handle SIGTERM: the recording ends before the next tick."""
        self._stopping = True

    def _record(self, client: carla.Client) -> None:
        job = self._job
        version = client.get_server_version()
        _wait_until_free(job.folder)
        with Recording.open(job.folder, job.plan, version) as recording:
            missing = [
                drive
                for drive in drives_of(job.plan)
                if drive.town == job.town and len(recording.written(drive)) < job.plan.frames
            ]
            if not missing:
                return
            recorder = self._recorder(client, recording, version)
            for drive in missing:
                self._reporter.send('drive', prefix=drive.prefix)
                recorder.record(drive)
        self._reporter.send('done')

    def _recorder(self, client: carla.Client, recording: Recording, version: str) -> DriveRecorder:
        """Load the town and get everything ready that costs once for each."""
        from carla_bridge.labels import LabelOptions, LaneLabeller

        job = self._job
        _release(client)
        try:
            world = WorldSession(client, town=job.town).world
        except CarlaError as error:  # there is no such town
            raise LaneSegError(str(error)) from error
        _remove_leftovers(client, world)
        map_ = world.get_map()
        roads = [
            waypoint.transform.location for waypoint in map_.generate_waypoints(_ROAD_POINTS_M)
        ]
        split = job.plan.split
        blocks = RouteBlocks(
            np.array([(place.x, place.y) for place in roads]).reshape(-1, 2),
            town=job.town,
            seed=job.plan.seed,
            fractions=split.fractions,
            block_m=split.block_m,
            gap_m=split.gap_m,
        )
        if lacking := [
            name for name in SPLITS if split.fractions[name] and not blocks.shares[name]
        ]:
            LOG.warning(
                '%s: no road for the split(s) %s; make split.block_m smaller than %g m',
                *(job.town, ', '.join(lacking), split.block_m),
            )

        self._server = ServerWatch(job.host, job.port, self._server_lost)

        def on_frame(name: str, split: str) -> None:
            size = recording.bytes_per_frame
            self._reporter.send('frame', name=name, split=split, bytes_per_frame=size)

        labeller = LaneLabeller(map_, version, LabelOptions(area=job.plan.labels.area))
        return DriveRecorder(
            client,
            job,
            recording,
            writer=FrameWriter(recording, labeller, job.plan.layers, on_frame),
            blocks=blocks,
            alive=self._alive,
        )

    def _alive(self) -> None:
        """Be called before each tick."""
        if self._server is not None:
            self._server.tick()
        if self._stopping:
            raise _StopError
        if self._reporter.alive():
            _end_when_hanging(self._job.watchdog_s)

    def _server_lost(self) -> None:
        """End at once: leaving the world in good order would take a time-out for each call."""
        address = f'{self._job.host}:{self._job.port}'
        self._failed(Failure.SERVER, CarlaError(f'the server at {address} has ended'))
        os._exit(_FAILED)

    def _failed(self, why: str, error: Exception) -> int:
        with contextlib.suppress(BrokenPipeError):
            self._reporter.send('failed', why=why, text=str(error))
        return _FAILED


def _end_when_hanging(limit_s: float) -> None:
    """Have the process end, with the places of all threads on stderr, unless called again.

    The timer needs neither the interpreter nor a signal handler: a tick that never returns keeps
    both from running.
    """
    faulthandler.dump_traceback_later(limit_s, exit=True)


def _die_with(supervisor: int) -> None:
    """Have SIGTERM sent when the supervisor ends, however it does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:  # it has ended already
        sys.exit(0)


def _wait_until_free(folder: Path) -> None:
    """Give a process that a killed supervisor has left the time to end."""
    until = time.monotonic() + _LOCK_WAIT_S
    while folder.is_dir() and time.monotonic() < until:
        try:
            os.close(locked(folder))
        except LaneSegError:
            time.sleep(0.2)
        else:
            return


def _release(client: carla.Client) -> None:
    """End the synchronous mode of a client that was killed; refuse a world that somebody ticks."""
    world = client.get_world()
    settings = world.get_settings()
    if not settings.synchronous_mode:
        return
    try:
        world.wait_for_tick(_TICKED_BY_OTHERS_S)
    except RuntimeError:
        LOG.warning('the server was left in synchronous mode and nobody ticks it: switched off')
        settings.synchronous_mode = False
        settings.fixed_delta_seconds = None
        world.apply_settings(settings)
        return
    raise LaneSegError(
        'expected a server of our own, found one in synchronous mode that another program ticks; '
        'end that program, or name another --port'
    )


def _remove_leftovers(client: carla.Client, world: carla.World) -> None:
    """Destroy what a collection that was killed has left in the world."""
    import carla

    world.wait_for_tick()
    actors = list(world.get_actors())
    ours = {actor.id for actor in actors if actor.attributes.get('role_name') in (ROLE, EGO_ROLE)}
    left = [actor for actor in actors if actor.parent is not None and actor.parent.id in ours] + [
        actor for actor in actors if actor.id in ours
    ]
    if left:
        LOG.warning('destroying %d actors that an earlier collection has left', len(left))
        client.apply_batch_sync([carla.command.DestroyActor(actor) for actor in left], False)


def main() -> NoReturn:
    """Record the job of the command line."""
    job = Job.from_text(sys.argv[1])
    faulthandler.enable()
    _end_when_hanging(job.watchdog_s + job.timeout_s)
    process = _DriveProcess(job)
    signal.signal(signal.SIGTERM, process.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's
    _die_with(job.supervisor)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format='%(message)s')
    leave_process(process.run())


if __name__ == '__main__':
    main()
