"""Files that the carla client itself has saved, raw and coloured, from our stand-in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from carla_bridge.existing.convert import ConvertOptions, convert
from tests.carla_bridge.existing.files import read
from tests.carla_bridge.servers import run_client, running_server

pytestmark = pytest.mark.carla
pytest.importorskip('carla', reason="needs the client: pip install 'carla==0.9.16'")

FRAMES = 6
SAVE = """
import queue, sys
import carla
from pathlib import Path
from carla_bridge.connection import connect
from carla_bridge.world_session import WorldSession

port, folder, frames = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
client = connect('127.0.0.1', port)
with WorldSession(client, delta_s=0.5) as session:
    start = session.world.get_map().get_spawn_points()[0]
    car = session.spawn('vehicle.tesla.model3', start)
    size = {'image_size_x': '320', 'image_size_y': '180'}
    place = carla.Transform(carla.Location(x=0.65, z=2.0))
    queues = {}
    for kind in ('rgb', 'semantic_segmentation'):
        camera = session.spawn('sensor.camera.' + kind, place, attach_to=car, attributes=size)
        queues[kind] = queue.Queue()
        camera.listen(queues[kind].put)
        queues[kind].camera = camera
    car.set_target_velocity(start.get_forward_vector() * 8)
    for index in range(frames):
        session.tick()
        rgb = queues['rgb'].get(timeout=30)
        semantic = queues['semantic_segmentation'].get(timeout=30)
        assert rgb.frame == semantic.frame
        for root in ('raw', 'coloured'):
            rgb.save_to_disk(str(folder / root / 'rgb' / f'{rgb.frame:06d}.png'))
        semantic.save_to_disk(str(folder / 'raw/seg' / f'{rgb.frame:06d}.png'))
        semantic.save_to_disk(
            str(folder / 'coloured/seg' / f'{rgb.frame:06d}.png'),
            carla.ColorConverter.CityScapesPalette,
        )
print('saved')
"""


@pytest.fixture(scope='module')
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('saved')
    with running_server('--map', 'Town_grid') as server:
        done = run_client(SAVE, server.port, folder, FRAMES)
    assert done.stdout == 'saved\n', done.stderr
    return folder


def test_raw_tags_of_the_simulator_tell_their_version(saved: Path, tmp_path: Path) -> None:
    summary = convert(ConvertOptions(saved / 'raw', tmp_path / 'new'))
    assert (summary.version, summary.new) == ('0.9.14', FRAMES)
    for path in (tmp_path / 'new/seg').rglob('*.png'):
        assert np.array_equal(read(path), read(saved / f'raw/seg/{path.name}')[..., 2])


def test_colours_of_the_client_are_the_same_tags(saved: Path, tmp_path: Path) -> None:
    summary = convert(ConvertOptions(saved / 'coloured', tmp_path / 'new', version='0.9.16'))
    assert (summary.version, summary.new) == ('0.9.16', FRAMES)
    for path in (tmp_path / 'new/seg').rglob('*.png'):
        assert np.array_equal(read(path), read(saved / f'raw/seg/{path.name}')[..., 2])
