"""The Dockerfiles keep their promises: fixed versions, a normal user, nothing that is not sent."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lane_seg
from tests.docker.dockerfiles import (
    DOCKER,
    DOCKERFILES,
    ROOT,
    Dockerfile,
    expand,
    is_sent,
    only,
    pip_packages,
    read_dockerfile,
)
from tests.installing import extras_of, setup_arguments_of_checkout

JETPACKS = ({'JETPACK': '6'}, {'JETPACK': '7'})
PYTHON_OF_JETPACK = {'6': '3.10', '7': '3.12'}
TARGETS = {
    'jetson.Dockerfile': ['runtime'],
    'runtime.Dockerfile': ['bridge', 'rviz', 'runtime'],
    'train.Dockerfile': ['train'],
}
ALL_TARGETS = [(file, target) for file, targets in TARGETS.items() for target in targets]


@pytest.fixture(scope='module')
def setup_arguments() -> dict[str, object]:
    return setup_arguments_of_checkout()


@pytest.fixture(scope='module')
def extras(setup_arguments: dict[str, object]) -> dict[str, list[Requirement]]:
    return extras_of(setup_arguments)


@pytest.fixture(scope='module')
def scripts(setup_arguments: dict[str, object]) -> set[str]:
    """The names of our executables."""
    entry_points = setup_arguments['entry_points']
    assert isinstance(entry_points, dict)
    return {line.split(' = ')[0] for line in entry_points['console_scripts']}


def names_in(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def variables_of(dockerfile: Dockerfile, target: str) -> dict[str, str]:
    """Build arguments by name, as they are where nobody gives any."""
    stated = [i.text.partition('=') for i in only(dockerfile.lineage(target), 'ARG')]
    return {**dockerfile.arguments, **{key: value for key, _, value in stated if value}}


def pins_of(python: str, folder: Path) -> dict[str, str]:
    """Run the awk program of the Dockerfile as it stands: {name: version}."""
    text = (DOCKER / 'runtime.Dockerfile').read_text()
    programs = set(re.findall(r"awk -F== '([^']+)'", text))
    programs |= set(re.findall(r"awk -F== '([^']+)'", (DOCKER / 'jetson.Dockerfile').read_text()))
    assert len(programs) == 1
    made = folder / 'constraints.txt'
    made.write_text(
        subprocess.run(
            ['awk', '-F==', programs.pop(), str(DOCKER / 'pins.txt')]
            + [str(ROOT / f'requirements/constraints-{python}.txt')],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    lines = [line for line in made.read_text().splitlines() if not line.startswith('#')]
    pairs = [tuple(line.split('==')) for line in lines if line]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_there_is_a_test_for_each_file_and_target() -> None:
    assert list(TARGETS) == DOCKERFILES
    assert {file: read_dockerfile(file).targets() for file in DOCKERFILES} == TARGETS


@pytest.mark.parametrize('file', DOCKERFILES)
@pytest.mark.parametrize('arguments', JETPACKS, ids=str)
def test_every_image_is_named_with_a_version(file: str, arguments: dict[str, str]) -> None:
    for image in read_dockerfile(file).images(arguments):
        name, _, tag = image.rpartition(':')
        assert name, image
        assert re.search(r'\d|jazzy|humble', tag), image
        assert 'latest' not in tag, image
        assert '$' not in image, image


@pytest.mark.parametrize(('file', 'target'), ALL_TARGETS)
def test_a_container_runs_as_a_normal_user(file: str, target: str) -> None:
    dockerfile = read_dockerfile(file)
    user = only(dockerfile.lineage(target), 'USER')[-1].text
    user = expand(user, variables_of(dockerfile, target))
    assert user.isdigit()
    assert int(user) > 0


@pytest.mark.parametrize('file', DOCKERFILES)
def test_commands_are_lists_so_that_signals_arrive(file: str) -> None:
    dockerfile = read_dockerfile(file)
    for stage in dockerfile.stages:
        for instruction in only(stage.instructions, 'ENTRYPOINT', 'CMD', 'HEALTHCHECK'):
            assert instruction.exec_form or instruction.text == 'NONE', instruction


@pytest.mark.parametrize(('file', 'target'), ALL_TARGETS)
def test_what_a_container_starts_is_ours(file: str, target: str, scripts: set[str]) -> None:
    lineage = read_dockerfile(file).lineage(target)
    entry_point = only(lineage, 'ENTRYPOINT')[-1].exec_form
    command = only(lineage, 'CMD')[-1].exec_form
    assert entry_point and command
    if entry_point == ['/opt/entrypoint.sh']:
        copied = [words for i in only(lineage, 'COPY') if (words := i.words)[-1] == '/opt/']
        assert ['docker/entrypoint.sh', '/opt/'] in copied
        assert command[0] in scripts | {'rviz2'}
    else:
        assert entry_point[0] in scripts


@pytest.mark.parametrize('file', ['jetson.Dockerfile', 'runtime.Dockerfile'])
def test_the_health_of_a_node_is_asked_of_the_node(file: str) -> None:
    from lane_seg_cli.commands import COMMANDS

    lineage = read_dockerfile(file).lineage('runtime')
    check = only(lineage, 'HEALTHCHECK')[-1]
    command = check.exec_form
    assert command is not None
    assert command[:3] == ['/opt/entrypoint.sh', 'lane-seg', 'health']
    assert 'health' in {command.name for command in COMMANDS}
    # Docker counts a check that takes longer than its own limit as failed, without its words.
    limit = re.search(r'--timeout=(\d+)s', check.text)
    assert limit
    assert int(limit[1]) > int(command[command.index('--timeout') + 1])


@pytest.mark.parametrize('file', DOCKERFILES)
def test_apt_asks_nothing_brings_no_extras_and_leaves_no_lists(file: str) -> None:
    for stage in read_dockerfile(file).stages:
        for instruction in only(stage.instructions, 'RUN'):
            if 'apt-get' not in instruction.text:
                continue
            assert 'rm -rf /var/lib/apt/lists/*' in instruction.text
            for command in re.findall(r'apt-get install[^&]*', instruction.text):
                assert '--no-install-recommends --yes' in command


@pytest.mark.parametrize('file', DOCKERFILES)
def test_what_is_downloaded_has_a_checksum(file: str) -> None:
    for stage in read_dockerfile(file).stages:
        for instruction in stage.instructions:
            if instruction.name == 'ADD':
                assert re.fullmatch(r'sha256:[0-9a-f]{64}', instruction.flags['checksum'])
            assert not re.search(r'\b(?:curl|wget)\b', instruction.text)


@pytest.mark.parametrize('file', DOCKERFILES)
def test_what_is_copied_exists_and_reaches_the_builder(file: str) -> None:
    copied = 0
    for stage in read_dockerfile(file).stages:
        for instruction in only(stage.instructions, 'COPY'):
            if 'from' in instruction.flags:
                assert instruction.flags['from'] in {
                    stage.name for stage in read_dockerfile(file).stages
                }
                continue
            for source in instruction.words[:-1]:
                assert (ROOT / source).exists(), source
                assert is_sent(source), source
                copied += 1
    assert copied > 5


@pytest.mark.parametrize('file', DOCKERFILES)
def test_the_whole_package_reaches_the_image(
    file: str, setup_arguments: dict[str, object]
) -> None:
    package = next(s for s in read_dockerfile(file).stages if s.name == 'package')
    sources = {word for i in only(package.instructions, 'COPY') for word in i.words[:-1]}
    data_files = setup_arguments['data_files']
    assert isinstance(data_files, list)
    needed = {name for _, names in data_files for name in names}
    if file == 'train.Dockerfile':  # has no ROS
        needed = {name for name in needed if not name.startswith('launch/')}
    needed |= {
        str(path.relative_to(ROOT))
        for folder in ('src', 'carla_bridge')
        for path in (ROOT / folder).rglob('*')
        if path.suffix in ('.py', '.xml') and '__pycache__' not in path.parts
    }
    needed |= {'setup.py', 'setup.cfg', 'package.xml'}
    assert len(needed) > 100
    missing = [
        name
        for name in needed
        if not is_sent(name)
        or not any(name == source or name.startswith(f'{source}/') for source in sources)
    ]
    assert missing == []


@pytest.mark.parametrize(
    'path',
    [
        '.git/config', '.venv/bin/python', 'docs/docker.md', 'tests/conftest.py', 'docker/.env',
        'demo/overlay.mp4', 'runs/mine/checkpoint.pt', 'models/default/model.int8.plan',
        'models/default/model.int8.plan.json', 'models/mine/timing.cache', 'id_rsa',
        'models/mine/checkpoint.pt', 'src/lane_seg/__pycache__/bundle.cpython-312.pyc',
        'src/lane_seg_ros.egg-info/PKG-INFO', 'src/.env',
    ],
)  # fmt: skip
def test_nothing_private_or_bulky_reaches_the_builder(path: str) -> None:
    assert not is_sent(path)


@pytest.mark.parametrize(
    ('file', 'target', 'names'),
    [
        ('runtime.Dockerfile', 'runtime', ('runtime', 'tensorrt')),
        ('runtime.Dockerfile', 'rviz', ('runtime', 'tensorrt')),
        ('runtime.Dockerfile', 'bridge', ('runtime', 'tensorrt', 'carla')),
        # JetPack brings TensorRT along.
        ('jetson.Dockerfile', 'runtime', ('runtime',)),
        ('train.Dockerfile', 'train', ('runtime', 'train')),
    ],
)
def test_an_image_has_the_packages_of_its_extras_and_no_others(
    file: str, target: str, names: tuple[str, ...], extras: dict[str, list[Requirement]]
) -> None:
    wanted = {name for extra in names for name in names_in(extras[extra])}
    # pycuda comes as the wheel that a stage of its own compiles.
    found = pip_packages(read_dockerfile(file).lineage(target))
    assert found == wanted - {'pycuda'}
    assert ('torch' in found) == (target == 'train')


@pytest.mark.parametrize('file', ['jetson.Dockerfile', 'runtime.Dockerfile'])
def test_pycuda_is_compiled_in_a_stage_of_its_own(file: str) -> None:
    dockerfile = read_dockerfile(file)
    assert 'pycuda_wheel.sh' in ' '.join(i.text for i in dockerfile.lineage('pycuda'))
    assert '/wheels/*.whl' in ' '.join(i.text for i in dockerfile.lineage('runtime'))
    assert 'pycuda_wheel.sh' not in ' '.join(i.text for i in dockerfile.lineage('runtime'))


@pytest.mark.parametrize('python', ['3.10', '3.12'])
def test_the_versions_beside_ros_are_those_that_the_extras_allow(
    python: str, extras: dict[str, list[Requirement]], tmp_path: Path
) -> None:
    pins = pins_of(python, tmp_path)
    for extra in ('runtime', 'tensorrt', 'carla'):
        for requirement in extras[extra]:
            pinned = pins[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(pinned), f'{requirement}: {pinned}'
    assert pins['numpy'].split('.')[0] == '1'


@pytest.mark.parametrize('arguments', JETPACKS, ids=str)
def test_the_versions_of_a_jetpack_are_those_of_its_python(arguments: dict[str, str]) -> None:
    lineage = read_dockerfile('jetson.Dockerfile').lineage('runtime', arguments)
    copied = [i.words for i in only(lineage, 'COPY') if 'requirements' in i.text]
    python = PYTHON_OF_JETPACK[arguments['JETPACK']]
    assert copied == [[f'requirements/constraints-{python}.txt', '/opt/constraints-python.txt']]
    ubuntu = {'3.10': 'jammy', '3.12': 'noble'}[python]
    assert all(ubuntu in i.text for i in only(lineage, 'ADD'))
    distro = {'3.10': 'humble', '3.12': 'jazzy'}[python]
    assert f'ROS_DISTRO={distro}' in ' '.join(i.text for i in only(lineage, 'ENV'))


@pytest.mark.parametrize('arguments', JETPACKS, ids=str)
@pytest.mark.parametrize('file', ['jetson.Dockerfile', 'runtime.Dockerfile'])
def test_a_node_talks_to_this_machine_only_unless_told_otherwise(
    file: str, arguments: dict[str, str]
) -> None:
    lineage = read_dockerfile(file).lineage('runtime', arguments)
    environment = ' '.join(i.text for i in only(lineage, 'ENV'))
    if 'ROS_DISTRO=humble' in environment:
        assert 'ROS_LOCALHOST_ONLY=1' in environment
    else:
        assert 'ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST' in environment


@pytest.mark.parametrize('file', DOCKERFILES)
def test_the_image_in_the_comment_has_our_version(file: str) -> None:
    tags = re.findall(r'lane_seg_ros:([\w.]+)-', (DOCKER / file).read_text())
    assert tags
    assert set(tags) == {lane_seg.__version__}
