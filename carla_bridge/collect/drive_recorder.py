"""Records one drive: a car, its cameras and the traffic, tick by tick, frame by frame."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from carla_bridge.camera_images import transform_of
from carla_bridge.collect.ego_modes import EgoMode, ego_mode
from carla_bridge.collect.frame_writer import FrameWriter, Shot
from carla_bridge.connection import CarlaError
from carla_bridge.sensor_frames import FrameLostError, SensorFrames
from carla_bridge.traffic import Traffic, free_places
from carla_bridge.weathers import values_of, weather_parameters
from carla_bridge.world_session import WorldSession
from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    import carla

    from carla_bridge.collect.job import Job
    from carla_bridge.recording.blocks import RouteBlocks
    from carla_bridge.recording.recording import Recording
    from carla_bridge.recording.sweep import Drive

__all__ = ['EGO_ROLE', 'DriveRecorder']

LOG = logging.getLogger(__name__)

EGO_ROLE = 'lane_seg_ego'
_KINDS = {
    'rgb': 'sensor.camera.rgb',
    'seg': 'sensor.camera.semantic_segmentation',
    'depth': 'sensor.camera.depth',
}
_MANAGER_SEED_BITS = 0x7FFFFFFF
_LOST_IN_A_ROW = 3
_SPAWN_TRIES = 30
_ABOVE_ROAD_M = 0.5
_FUTILE_PER_FRAME, _FUTILE_LEAST = 20, 500


class DriveRecorder:
    """Records drives of one town.

    Args:
        client: of the server.
        job: the plan and what goes with it.
        recording: to write to.
        writer: of frames.
        blocks: of the town.
        alive: called before each tick; may raise to end the recording in good order.
    """

    def __init__(
        self,
        client: carla.Client,
        job: Job,
        recording: Recording,
        *,
        writer: FrameWriter,
        blocks: RouteBlocks,
        alive: Callable[[], None],
    ) -> None:
        self._client = client
        self._job = job
        self._plan = job.plan
        self._recording = recording
        self._writer = writer
        self._blocks = blocks
        self._alive = alive

    def record(self, drive: Drive) -> None:
        """Record what a drive lacks.

        Raises:
            CarlaError: the simulator failed.
            LaneSegError: the drive cannot be recorded, or there is no room for it.
        """
        random.seed(drive.seed)
        np.random.seed(drive.seed)
        with WorldSession(self._client, town=drive.town, delta_s=self._plan.delta_s) as session:
            before = session.world.get_weather()
            session.world.set_weather(weather_parameters(drive.weather))
            try:
                self._record(drive, session)
            finally:
                session.world.set_weather(before)

    def _record(self, drive: Drive, session: WorldSession) -> None:
        written = self._recording.written(drive)
        last = written[-1] if written else None
        ego, start = self._spawn_ego(drive, session, last)
        managed = self._plan.ego.mode == 'traffic_manager'
        manager = (
            session.traffic_manager(self._job.manager_port, seed=drive.seed & _MANAGER_SEED_BITS)
            if managed
            else None
        )
        traffic = Traffic(
            session,
            count=self._plan.traffic.vehicles,
            seed=drive.seed,
            delta_s=self._plan.delta_s,
            keep_off=(ego,),
            by_traffic_manager=managed,
        )
        cameras = self._spawn_cameras(session, ego)
        session.tick()
        mode = ego_mode(
            self._plan.ego,
            session,
            ego,
            start=start,
            seed=drive.seed,
            delta_s=self._plan.delta_s,
            manager=manager,
            places=int(str(last['place'])) if last else 0,
        )
        run = _Run(session, ego, traffic, mode, SensorFrames(cameras), self._alive)
        run.ticks(self._plan.warm_up_ticks)
        self._frames(drive, run, len(written))

    def _frames(self, drive: Drive, run: _Run, index: int) -> None:
        """Write frames until the drive has all, each during the ticks that lead to the next."""
        before: carla.Location | None = None
        futile = 0
        pending: Future[None] | None = None
        with ThreadPoolExecutor(1, thread_name_prefix='frames') as thread:
            while index < self._plan.frames:
                run.mode.before_frame(run.everybody)
                data = run.ticks(self._plan.every)
                place = data['rgb'].transform.location
                split = self._blocks.split_of(place.x, place.y)
                moved = before is None or place.distance(before) >= self._job.min_move_m
                if split is None or not moved:
                    futile += 1
                    self._check_sense(drive, index, futile)
                    continue
                before, futile = place, 0
                if pending is not None:
                    pending.result()
                ego = run.session.world.get_snapshot().find(run.ego.id).get_transform()
                shot = Shot(drive, index, split, data, ego, run.mode.places, run.weather)
                pending = thread.submit(self._writer.write, shot)
                index += 1
            if pending is not None:
                pending.result()

    def _check_sense(self, drive: Drive, index: int, futile: int) -> None:
        """End a drive that would go on for ever."""
        if futile > _FUTILE_LEAST + _FUTILE_PER_FRAME * self._plan.frames:
            raise LaneSegError(
                f'{drive.prefix}: expected {self._plan.frames} frames, found {index} and then '
                f'{futile} places in a row where nothing is written (the car stands, or is near '
                'the border of a split): make split.block_m larger or split.gap_m smaller, or see '
                'what the car does'
            )

    def _spawn_ego(
        self, drive: Drive, session: WorldSession, last: dict[str, object] | None
    ) -> tuple[carla.Vehicle, carla.Transform]:
        """Spawn the car, where the drive broke off if it did; returns it and its way's start."""
        places = free_places(
            session.world.get_map(), session.world.get_actors().filter('vehicle.*')
        )
        if not places:
            raise LaneSegError(
                f'{drive.town}: expected spawn points with nobody near, found none; does another '
                'program fill the town with vehicles?'
            )
        random.Random(drive.seed).shuffle(places)
        start = places[0]
        if last is not None and self._plan.ego.mode != 'teleport':
            place = transform_of(last['ego_transform'])
            place.location.z += _ABOVE_ROAD_M
            places.insert(0, place)
        camera = self._plan.camera
        for place in places[:_SPAWN_TRIES]:
            try:
                ego = session.spawn(camera.vehicle, place, attributes={'role_name': EGO_ROLE})
            except CarlaError as error:
                problem = error
                continue
            return ego, start
        raise LaneSegError(f'{drive.prefix}: {problem}')

    def _spawn_cameras(self, session: WorldSession, ego: carla.Vehicle) -> dict[str, carla.Sensor]:
        """Spawn all cameras at one place."""
        import carla

        plan = self._plan.camera
        place = carla.Transform(
            carla.Location(x=plan.x, z=plan.z), carla.Rotation(pitch=plan.pitch)
        )
        attributes = {
            'image_size_x': str(plan.width),
            'image_size_y': str(plan.height),
            'fov': f'{plan.fov_deg:g}',
        }
        return {
            name: session.spawn(kind, place, attach_to=ego, attributes=attributes)
            for name, kind in _KINDS.items()
        }


class _Run:
    """What moves during a drive."""

    def __init__(
        self,
        session: WorldSession,
        ego: carla.Vehicle,
        traffic: Traffic,
        mode: EgoMode,
        sensors: SensorFrames,
        alive: Callable[[], None],
    ) -> None:
        self.session = session
        self.ego = ego
        self.traffic = traffic
        self.mode = mode
        self._sensors = sensors
        self._alive = alive
        self._lost = 0
        self.weather = values_of(session.world.get_weather())

    @property
    def everybody(self) -> tuple[carla.Vehicle, ...]:
        """All our vehicles, the car too."""
        return (self.ego, *self.traffic.vehicles)

    def ticks(self, count: int) -> dict[str, carla.SensorData]:
        """Do ticks until at least `count` are done and the last one has all its images."""
        data: dict[str, carla.SensorData] | None = None
        while count > 0 or data is None:
            self._alive()
            self.mode.before_tick(self.everybody)
            self.traffic.before_tick()
            frame = self.session.tick()
            count -= 1
            try:
                data = self._sensors.get(frame)
                self._lost = 0
            except FrameLostError as error:
                data = None
                self._lost += 1
                LOG.warning('%s', error)
                if self._lost >= _LOST_IN_A_ROW:
                    raise
        return data
