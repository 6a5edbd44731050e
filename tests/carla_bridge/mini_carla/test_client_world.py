"""The real client: connection, settings, weather, maps, time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from carla_bridge.mini_carla.towns import available_towns, load_town

pytestmark = pytest.mark.carla

if TYPE_CHECKING:
    from types import ModuleType

    import carla


def test_the_unmodified_client_connects_and_finds_its_own_version(client: carla.Client) -> None:
    assert client.get_server_version() == client.get_client_version() == '0.9.16'
    assert client.get_world().get_map().name == 'Carla/Maps/Town_ring'


def test_settings_are_told_back(world: carla.World) -> None:
    settings = world.get_settings()
    assert settings.synchronous_mode
    assert settings.fixed_delta_seconds == 0.05
    settings.no_rendering_mode = True
    settings.fixed_delta_seconds = 0.1
    world.apply_settings(settings)
    assert world.get_settings() == settings


def test_each_tick_is_one_frame_of_the_stated_length(world: carla.World) -> None:
    first = world.tick()
    before = world.get_snapshot()
    assert before.frame == first
    assert [world.tick() for _ in range(5)] == [first + 1 + i for i in range(5)]
    after = world.get_snapshot()
    assert after.elapsed_seconds - before.elapsed_seconds == pytest.approx(0.25)
    assert after.delta_seconds == pytest.approx(0.05)


def test_without_synchronous_mode_time_runs_by_itself(client: carla.Client) -> None:
    world = client.get_world()
    first = world.wait_for_tick(20.0)
    assert world.wait_for_tick(20.0).frame > first.frame


def test_on_tick_hears_every_tick(world: carla.World) -> None:
    heard: list[int] = []
    number = world.on_tick(lambda snapshot: heard.append(snapshot.frame))
    frames = [world.tick() for _ in range(10)]
    world.remove_on_tick(number)
    world.tick()
    # The tick that ends the wait may have been sent before the call-back was registered.
    assert heard[-10:] == frames


def test_weather_is_told_back(carla_api: ModuleType, world: carla.World) -> None:
    for name in ('HardRainSunset', 'ClearNight', 'DustStorm'):
        weather = getattr(carla_api.WeatherParameters, name)
        world.set_weather(weather)
        assert world.get_weather() == weather


def test_the_spectator_can_be_moved(carla_api: ModuleType, world: carla.World) -> None:
    place = carla_api.Transform(
        carla_api.Location(3.0, -4.0, 50.0), carla_api.Rotation(pitch=-90.0)
    )
    world.get_spectator().set_transform(place)
    world.tick()
    assert world.get_spectator().get_location() == place.location


def test_the_client_parses_the_map_that_the_town_states(world: carla.World) -> None:
    town = load_town('Town_ring', 3)
    parsed = world.get_map()
    assert parsed.to_opendrive() == town.opendrive
    points = parsed.get_spawn_points()
    assert len(points) == len(town.spawn_points)
    assert [points[5].location.x, points[5].location.y] == pytest.approx(
        [town.spawn_points[5].x, town.spawn_points[5].y], abs=1e-4
    )


def test_every_town_can_be_loaded(client: carla.Client) -> None:
    names = {name.rsplit('/', 1)[-1] for name in client.get_available_maps()}
    assert names == set(available_towns())
    for name in sorted(names):
        world = client.load_world(name)
        assert world.get_map().name == f'Carla/Maps/{name}'


def test_a_loaded_world_is_empty_and_asynchronous(
    client: carla.Client, world: carla.World
) -> None:
    library = world.get_blueprint_library()
    world.spawn_actor(library.find('vehicle.audi.tt'), world.get_map().get_spawn_points()[0])
    world.tick()
    old = world.id
    fresh = client.reload_world()
    assert fresh.id != old
    assert not fresh.get_settings().synchronous_mode
    assert [actor.type_id for actor in fresh.get_actors()] == ['spectator']


def test_a_map_of_carla_itself_is_refused_by_name(client: carla.Client) -> None:
    with pytest.raises(RuntimeError, match="found 'Town04'"):
        client.load_world('Town04')
    assert client.get_world().get_map().name.endswith('Town_ring')


def test_a_world_is_generated_from_opendrive(client: carla.Client) -> None:
    text = load_town('Town_hills').opendrive
    world = client.generate_opendrive_world(text)
    assert world.get_map().name == 'Carla/Maps/OpenDriveMap'
    assert world.get_map().to_opendrive() == text
    assert world.get_map().get_spawn_points()


def test_opendrive_that_is_none_is_refused(client: carla.Client) -> None:
    with pytest.raises(RuntimeError, match='expected an OpenDRIVE document'):
        client.generate_opendrive_world('<OpenDRIVE/>')


def test_what_stands_in_the_town_can_be_listed(carla_api: ModuleType, world: carla.World) -> None:
    boxes = load_town('Town_ring', 3).boxes
    label = carla_api.CityObjectLabel.Buildings
    buildings = [box for box in boxes if box.kind == 'building']
    assert len(world.get_environment_objects(label)) == len(buildings)
    listed = world.get_level_bbs(label)
    assert [box.extent.z for box in listed] == pytest.approx(
        [box.extent[2] for box in buildings], abs=1e-4
    )
    assert len(world.get_level_bbs(carla_api.CityObjectLabel.Any)) == len(boxes)
