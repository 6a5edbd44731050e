"""What is said about the machine."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np

from lane_seg.machine import machine_info


def test_the_machine_is_described_and_fits_into_json() -> None:
    machine = machine_info()
    assert machine.cpu
    assert machine.cores == os.cpu_count()
    assert 1 <= machine.cores_usable <= machine.cores
    assert machine.libraries['numpy'] == np.__version__
    assert json.loads(json.dumps(dataclasses.asdict(machine)))['cpu'] == machine.cpu
    assert machine.cpu in str(machine)
