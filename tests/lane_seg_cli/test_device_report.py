"""`lane-seg device-report`: what it holds, and whom it does not name."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lane_seg.bundle import ModelBundle
from lane_seg_cli.benchmark import STAGES
from lane_seg_cli.device_facts import device_facts, without_names
from lane_seg_cli.main import main
from tests.tiny_bundle import make_tiny_bundle

pytest.importorskip('onnxruntime')

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')


def words(model: Path, output: Path) -> list[str]:
    return ['device-report', '--model', str(model), '--engine', 'onnxruntime'] + [
        *('--threads', '1', '--frames', '20', '--output', str(output)),
    ]


def test_the_file_says_what_ran_how_fast_and_on_what(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'new' / 'report.json'
    assert main(words(model, output)) == 0
    content = json.loads(output.read_text(encoding='utf-8'))
    assert content['benchmark']['engine'] == 'onnxruntime'
    assert content['benchmark']['model_sha256'] == ModelBundle.load(model).onnx_sha256
    assert tuple(content['benchmark']['stages']) == STAGES
    assert content['benchmark']['stages']['total']['count'] == 20
    assert content['device']['versions']['numpy']
    assert content['device']['versions']['onnxruntime']
    assert content['device']['memory_mib'] > 0
    assert content['engine_warnings'] == []
    assert set(content['device']['gpu']) & {'name', 'error'}
    said = capsys.readouterr().out
    assert f'written: {output}' in said
    assert '20 of 20' in said
    assert re.search(r'inference  p50 \d+\.\d\d ms, p99 \d+\.\d\d ms', said)


def test_a_failure_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / 'report.json'
    assert main(words(tmp_path / 'nowhere', output)) == 1
    assert 'expected a model bundle' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which('unshare') is None,
    reason='needs root and unshare for a host name of its own',
)
def test_nobody_is_named(tmp_path: Path, model: Path) -> None:
    home = tmp_path / 'home' / 'ada'
    shutil.copytree(model, home / 'models' / 'tiny')
    output = home / 'report.json'
    arguments = ' '.join(words(home / 'models' / 'tiny', output))
    done = subprocess.run(
        ['unshare', '--uts', 'sh', '-c']
        + [f'hostname lovelace-car-7 && exec {sys.executable} -m lane_seg_cli.main {arguments}'],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            **dict.fromkeys(('LOGNAME', 'USER', 'LNAME', 'USERNAME'), 'ada-king'),
            'HOME': str(home),
            'PYTHONPATH': str(ROOT / 'src'),
        },
    )
    if 'unshare failed' in done.stderr:
        pytest.skip('namespaces are not allowed here')
    assert done.returncode == 0, done.stderr
    text = output.read_text(encoding='utf-8')
    for name in ('lovelace', 'ada', str(home), str(tmp_path)):
        assert name not in text, name
    for address in addresses():
        assert address not in text
    for path in ('/etc/machine-id', '/proc/device-tree/serial-number'):
        if Path(path).is_file():
            assert Path(path).read_text(encoding='ascii').strip('\0\n') not in text


def addresses() -> set[str]:
    """Addresses of this machine: of its network cards, and those that its name leads to."""
    found = {
        path.read_text(encoding='ascii').strip()
        for path in Path('/sys/class/net').glob('*/address')
    }
    with contextlib.suppress(OSError):  # the name may lead nowhere
        found |= {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    return found - {'', '00:00:00:00:00:00'}


def test_names_in_error_messages_are_blanked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, 'getuser', lambda: 'ada')
    monkeypatch.setattr(socket, 'gethostname', lambda: 'car-7')
    monkeypatch.setenv('HOME', '/srv/users/ada')
    said = (
        'on car-7, /srv/users/ada/models/x.plan of ada: adaptive; /home/bob/y: TensorRT 10.3.0.30'
    )
    assert without_names(said) == (
        'on <host>, ~/models/x.plan of <user>: adaptive; ~/y: TensorRT 10.3.0.30'
    )


def test_a_jetson_is_described_from_its_files(tmp_path: Path) -> None:
    files = {
        'proc/device-tree/model': 'NVIDIA Jetson Orin NX Engineering Reference Developer Kit\0',
        'etc/nv_tegra_release': '# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n',
        'etc/os-release': 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
        'proc/meminfo': 'MemTotal:       15655388 kB\nMemFree: 1 kB\n',
        'sys/devices/system/cpu/cpu0/cpufreq/scaling_governor': 'schedutil\n',
        'sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq': '729600\n',
        'sys/class/devfreq/17000000.gpu/cur_freq': '306000000\n',
        'sys/class/devfreq/17000000.gpu/max_freq': '918000000\n',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    facts = device_facts(tmp_path)
    assert facts.board == 'NVIDIA Jetson Orin NX Engineering Reference Developer Kit'
    assert facts.l4t == 'R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic'
    assert facts.operating_system == 'Ubuntu 22.04.5 LTS'
    assert facts.memory_mib == 15288
    assert facts.clocks == {
        'cpu0.governor': 'schedutil',
        'cpu0.cur_mhz': '730',
        '17000000.gpu.cur_mhz': '306',
        '17000000.gpu.max_mhz': '918',
    }
