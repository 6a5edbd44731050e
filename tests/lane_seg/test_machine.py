"""What is said about the machine."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lane_seg import machine as machine_module
from lane_seg.machine import int8_sums_saturate, machine_info

if TYPE_CHECKING:
    from pathlib import Path


def test_the_machine_is_described_and_fits_into_json() -> None:
    machine = machine_info()
    assert machine.cpu
    assert machine.cores == os.cpu_count()
    assert 1 <= machine.cores_usable <= machine.cores
    assert machine.libraries['numpy'] == np.__version__
    assert json.loads(json.dumps(dataclasses.asdict(machine)))['cpu'] == machine.cpu
    assert machine.cpu in str(machine)


X86 = 'processor\t: 0\nmodel name\t: some CPU\nflags\t\t: fpu sse4_1 {}\nbogomips\t: 1\n\n'


@pytest.mark.parametrize(
    ('architecture', 'text', 'saturates'),
    [
        ('x86_64', X86.format('avx2 fma'), True),
        ('x86_64', X86.format('avx2 avx512f avx512bw'), True),
        ('x86_64', X86.format('avx2 avx512f avx512_vnni avx512_bf16'), False),
        ('x86_64', X86.format('avx2 avx_vnni'), False),
        ('AMD64', X86.format('avx2 avx_vnni'), False),
        ('x86_64', X86.format('avx2 avx_vnni_int16'), True),  # another set of instructions
        ('x86_64', X86.format('avx2') + X86.format('avx2 avx_vnni'), True),
        ('x86_64', 'model name : avx_vnni\n', True),
        ('x86_64', '', True),
        ('x86_64', None, True),
        ('AMD64', None, True),
        ('aarch64', 'processor\t: 0\nFeatures\t: fp asimd asimddp\n', False),
        ('aarch64', None, False),
        ('', None, False),
    ],
)
def test_int8_sums_saturate_on_x86_without_vnni(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    architecture: str,
    text: str | None,
    saturates: bool,
) -> None:
    path = tmp_path / 'cpuinfo'
    if text is not None:
        path.write_text(text, encoding='utf-8')
    monkeypatch.setattr(machine_module, '_CPU_INFO', path)
    monkeypatch.setattr('platform.machine', lambda: architecture)
    assert int8_sums_saturate() is saturates
