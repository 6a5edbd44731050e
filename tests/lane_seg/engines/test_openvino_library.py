"""OpenVINO is imported without the telemetry that it brings along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('openvino')

SOURCES = Path(__file__).resolve().parents[3] / 'src'

CODE = """
import sys
from lane_seg.bundle import ModelBundle
from lane_seg.engines import open_engine
with open_engine(ModelBundle.load(sys.argv[1]), 'openvino', threads=1) as engine:
    print(engine.name, [name for name in sys.modules if name.startswith('openvino_telemetry')])
"""


def test_opening_the_engine_tells_nobody_and_leaves_no_id_in_the_home_folder(
    tmp_path: Path,
) -> None:
    # Its telemetry keeps still where it finds itself in continuous integration.
    in_ci = {'CI', 'GITHUB_ACTIONS', 'JENKINS_URL', 'TF_BUILD', 'TRAVIS'}
    environment = {name: value for name, value in os.environ.items() if name not in in_ci}
    done = subprocess.run(
        [sys.executable, '-c', CODE, 'default'],
        env={**environment, 'HOME': str(tmp_path), 'PYTHONPATH': str(SOURCES)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'openvino []\n'
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_has_imported_openvino_itself_is_left_alone() -> None:
    code = (
        'import openvino\n'
        'from lane_seg.engines.openvino_library import load_openvino\n'
        'assert load_openvino() is openvino\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'CI': 'true', 'PYTHONPATH': str(SOURCES)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
