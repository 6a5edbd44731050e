"""Networks are built by name, and a setting is heeded or refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.config import NetConfig
from lane_seg_train.nets import NETS, build_net
from lane_seg_train.nets.unet import UNet
from tests.lane_seg_train.nets.examples import needs_transformers

ROOT = Path(__file__).resolve().parents[3]


def run(code: str) -> subprocess.CompletedProcess[str]:
    head = f'import sys; sys.path[:0] = [{str(ROOT / "src")!r}]\n'
    return subprocess.run(
        [sys.executable, '-c', head + code], capture_output=True, text=True, timeout=300
    )


def test_a_network_is_built_by_its_name() -> None:
    assert isinstance(build_net(NetConfig(width=4, depth=1), 3), UNet)


def test_an_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(LaneSegError) as caught:
        build_net(NetConfig(name='segfromer'), 3)
    assert "found 'segfromer'; did you mean 'segformer'?" in str(caught.value)
    assert ', '.join(NETS) in str(caught.value)


def test_one_class_is_too_few() -> None:
    with pytest.raises(LaneSegError, match='expected at least 2 classes, found 1'):
        build_net(NetConfig(), 1)


@pytest.mark.parametrize(
    ('settings', 'key'),
    [
        ({'name': 'unet', 'variant': 'b0'}, 'variant'),
        ({'name': 'enet', 'width': 32}, 'width'),
        ({'name': 'fcn8s', 'skip': 'concat'}, 'skip'),
        ({'name': 'mobilenetv2_unet', 'batch_norm': False}, 'batch_norm'),
        ({'name': 'segformer', 'depth': 3}, 'depth'),
        ({'name': 'deeplabv3plus_mobilenetv2', 'stem_stride': 1}, 'stem_stride'),
    ],
)
def test_a_setting_that_the_network_would_not_heed_is_refused(
    settings: dict[str, object], key: str
) -> None:
    with pytest.raises(LaneSegError) as caught:
        build_net(NetConfig(**settings), 3)  # type: ignore[arg-type]
    default = getattr(NetConfig(), key)
    assert str(caught.value).startswith(f'net.{key}: expected the default, {default!r}')
    assert 'weights' in str(caught.value)  # what it does heed is named


@pytest.mark.parametrize('name', ['mobilenetv2_unet', 'fcn8s', 'deeplabv3plus_mobilenetv2'])
@pytest.mark.parametrize('variant', ['wide', '0', '-1', '100', 'nan'])
def test_a_width_that_is_no_factor_is_refused(name: str, variant: str) -> None:
    with pytest.raises(LaneSegError, match=rf"expected the width of {name} .* found '{variant}'"):
        build_net(NetConfig(name=name, variant=variant), 3)


def test_the_table_needs_no_torch() -> None:
    done = run("sys.modules['torch'] = None\nfrom lane_seg_train.nets import NETS\nprint(*NETS)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(NETS)


def test_without_transformers_the_message_says_how_to_install_it() -> None:
    code = """
sys.modules['transformers'] = None
from lane_seg.errors import LaneSegError
from lane_seg_train.config import NetConfig
from lane_seg_train.nets import build_net
for name in ('mobilenetv2_unet', 'deeplabv3plus_mobilenetv2', 'segformer'):
    try:
        build_net(NetConfig(name=name), 3)
        print('built')
    except LaneSegError as error:
        print(error)
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    first, *wanting = done.stdout.splitlines()
    assert first == 'built'
    assert len(wanting) == 2
    for line in wanting:
        assert "pip install 'lane_seg_ros[transformers]'" in line


@needs_transformers
def test_no_network_asks_for_torchvision_or_the_internet() -> None:
    code = """
sys.modules['torchvision'] = None
import socket
def refuse(*args, **kwargs):
    raise AssertionError('network access')
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from lane_seg_train.config import NetConfig
from lane_seg_train.nets import NETS, build_net
for name in NETS:
    build_net(NetConfig(name=name, variant='0.0625' if name == 'fcn8s' else ''), 3)
print([name for name in sys.modules if name.startswith('torchvision.')])
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == '[]'


def test_no_source_of_ours_names_torchvision_in_an_import() -> None:
    files = sorted((ROOT / 'src').rglob('*.py'))
    assert files
    for path in files:
        for line in path.read_text(encoding='utf-8').splitlines():
            words = line.split()
            is_import = words[:1] in (['import'], ['from'])
            assert not (is_import and words[1].startswith('torchvision')), path


def test_random_weights_depend_on_the_seed_alone() -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(build_net(NetConfig(width=4, depth=1), 3).state_dict()['stem.0.weight'])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
