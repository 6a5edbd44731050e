"""Plans: reading, errors that help, and what may change while a recording goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from carla_bridge.recording.plan import (
    EXAMPLE,
    WEATHER_PRESETS,
    WEATHER_VALUES,
    CollectPlan,
    EgoPlan,
    LabelPlan,
    SplitPlan,
    TrafficPlan,
    Weather,
    plan_from_file,
    plan_from_text,
)
from lane_seg.errors import LaneSegError

FOGGY = Weather('foggy', 'CloudyNoon', {'fog_density': 40.0})


def test_the_example_states_the_defaults() -> None:
    plan = plan_from_text(EXAMPLE, 'example')
    least = CollectPlan(plan.towns, plan.weathers, routes=plan.routes)
    assert plan == least
    assert [weather.name for weather in plan.weathers] == ['ClearNoon', 'HardRainSunset', 'foggy']


def test_the_example_names_every_key() -> None:
    stated = yaml.safe_load(EXAMPLE)
    plain = plan_from_text(EXAMPLE, 'example').plain()
    assert stated.keys() == plain.keys()
    for key, value in plain.items():
        if isinstance(value, dict):
            assert stated[key].keys() == value.keys()


def test_a_plan_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'plan.yaml'
    path.write_text('towns: [Town01]\nego: {mode: teleport, speed_kmh: 50}\n')
    plan = plan_from_file(path)
    assert plan.ego == EgoPlan('teleport', 50.0)
    assert plan.weathers == (Weather('ClearNoon'),)


@pytest.mark.carla
def test_the_weathers_are_those_of_the_client() -> None:
    carla = pytest.importorskip('carla', reason="needs the client: pip install 'carla==0.9.16'")
    names = {name for name in dir(carla.WeatherParameters) if name[0].isupper()}
    assert set(WEATHER_PRESETS) == names
    values = {name for name in dir(carla.WeatherParameters()) if not name.startswith('_')}
    assert set(WEATHER_VALUES) == values - names


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('town: [Town01]', "unknown key 'town'; did you mean 'towns'"),
        ('towns: [Town01]\nego: {speed: 3}', "ego: unknown key 'speed'; did you mean 'speed_kmh'"),
        ('towns: [Town01]\nzzz: 3', "unknown key 'zzz'; known keys: towns, "),
        ('frames: 3', r'expected the key\(s\) towns'),
        ('towns: Town01', r"towns: expected a list such as \[Town01\], found 'Town01'"),
        ('towns: []', 'towns: expected names that differ'),
        ('towns: [Town01, Town01]', 'towns: expected names that differ'),
        ('towns: [/Game/Carla/Maps/Town01]', 'a map without folders'),
        ('towns: [1]', r'towns\[0\]: expected text, found 1'),
        ('towns: [Town01]\nframes: many', "frames: expected a whole number, found 'many'"),
        ('towns: [Town01]\nframes: true', 'frames: expected a whole number, found True'),
        ('towns: [Town01]\nframes: 0', 'frames: expected 1 to 100000, found 0'),
        ('towns: [Town01]\ndelta_s: .nan', 'delta_s: expected a finite number'),
        ('towns: [Town01]\nego: {mode: telport}', "found 'telport'; did you mean 'teleport'"),
        ('towns: [Town01]\nego: fast', "ego: expected names and values, found 'fast'"),
        ('towns: [Town01]\nlabels: {lanes: 1}', 'lanes: expected true or false, found 1'),
        ('towns: [Town01]\nsplit: {train: 0.9}', 'expected shares whose sum is 1, found 1.2'),
        ('towns: [Town01]\nsplit: {gap_m: 200}', 'gap_m: expected 0 to 100, found 200'),
        ('towns: [Town01]\nweathers: [ClearNon]', "'ClearNon'; did you mean 'ClearNoon'"),
        ('towns: [Town01]\nweathers: [3]', 'expected a name or a mapping, found 3'),
        ('towns: [Town01]\nweathers: [{fog_density: 3}]', r'expected the key\(s\) name'),
        (
            'towns: [Town01]\nweathers: [{name: a, fog_densty: 3}]',
            "'fog_densty'.*; did you mean 'fog_density'",
        ),
        ('towns: [Town01]\nweathers: [{name: a, base: Noon}]', 'expected a preset'),
        ('towns: [Town01]\nweathers: [{name: a/b}]', 'part of file names'),
        ('towns: [Town01]\nweathers: [{name: WetNoon, wetness: 1}]', 'call it MyWetNoon'),
        ('towns: [Town01]\nweathers: [{name: a, wetness: wet}]', "wetness: .* found 'wet'"),
        ('- Town01', 'expected names and values'),
        ('towns: [', 'expected YAML'),
        ('', 'expected names and values, found None'),
    ],
)
def test_a_wrong_plan_is_refused_with_place_and_remedy(text: str, said: str) -> None:
    with pytest.raises(LaneSegError, match=f'^plan.yaml: .*{said}'):
        plan_from_text(text, 'plan.yaml')


def test_a_plan_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match='collect --example'):
        plan_from_file(tmp_path / 'plan.yaml')


names = st.from_regex(r'\A[A-Za-z0-9][A-Za-z0-9_.-]{0,8}\Z')
weathers = st.one_of(
    st.sampled_from(WEATHER_PRESETS).map(Weather),
    st.builds(
        Weather,
        names.filter(lambda name: name not in WEATHER_PRESETS),
        st.sampled_from(WEATHER_PRESETS),
        st.dictionaries(st.sampled_from(WEATHER_VALUES), st.floats(-100, 100), max_size=3),
    ),
)
plans = st.builds(
    CollectPlan,
    st.lists(names, min_size=1, max_size=3, unique=True).map(tuple),
    st.lists(weathers, min_size=1, max_size=3, unique_by=lambda weather: weather.name).map(tuple),
    routes=st.integers(1, 5),
    frames=st.integers(1, 500),
    seed=st.integers(0, 2**31 - 1),
    traffic=st.builds(TrafficPlan, st.integers(0, 99)),
    ego=st.builds(EgoPlan, st.sampled_from(['follower', 'teleport']), st.floats(1, 100)),
    labels=st.builds(LabelPlan, st.booleans(), st.booleans(), st.booleans()),
)


@settings(max_examples=30)
@given(plans)
def test_a_plan_survives_its_file(plan: CollectPlan) -> None:
    text = yaml.safe_dump(plan.plain(), sort_keys=False)
    assert plan_from_text(text, 'plan') == plan
    assert plan.conflicts_with(yaml.safe_load(text)) == []


@settings(max_examples=30)
@given(plans, st.integers(1, 3), st.integers(1, 3))
def test_more_of_everything_is_no_conflict_and_less_is(
    plan: CollectPlan, routes: int, frames: int
) -> None:
    more = dataclasses.replace(
        plan,
        towns=('AnotherTown', *plan.towns),
        weathers=(Weather('another-weather'), *plan.weathers),
        routes=plan.routes + routes,
        frames=plan.frames + frames,
    )
    assert more.conflicts_with(plan.plain()) == []
    said = plan.conflicts_with(more.plain())
    assert [line.partition(':')[0] for line in said] == ['frames', 'routes', 'towns', 'weathers']


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'seed': 1}, 'seed: expected 0 as before, found 1'),
        ({'ego': EgoPlan(speed_kmh=20.0)}, 'ego.speed_kmh: expected 30.0 as before, found 20.0'),
        ({'split': SplitPlan(block_m=50.0)}, 'split.block_m: expected 100.0 as before'),
        ({'labels': LabelPlan(lanes=False)}, 'labels.lanes: expected True as before'),
        (
            {'weathers': (dataclasses.replace(FOGGY, values={'fog_density': 50.0}),)},
            'weathers: expected foggy as before',
        ),
    ],
)
def test_what_decides_a_frame_may_not_change(changes: dict[str, object], said: str) -> None:
    before = CollectPlan(('Town01',), (FOGGY,))
    lines = dataclasses.replace(before, **changes).conflicts_with(before.plain())
    assert len(lines) == 1
    assert said in lines[0]


def test_layers_are_those_that_the_labels_ask_for() -> None:
    assert CollectPlan(('T',)).layers == ('rgb', 'seg', 'label', 'lanes')
    everything = CollectPlan(('T',), labels=LabelPlan(lanes=False, area=True, depth=True))
    assert everything.layers == ('rgb', 'seg', 'label', 'area', 'depth')
