"""Temperatures and power mode as files tell them, and silence where they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lane_seg_ros.host_health import host_health


def zone(folder: Path, number: int, kind: str, temperature: str) -> None:
    path = folder / f'thermal_zone{number}'
    path.mkdir(parents=True)
    (path / 'type').write_text(f'{kind}\n', encoding='ascii')
    (path / 'temp').write_text(f'{temperature}\n', encoding='ascii')


def test_zones_are_told_by_name_in_degrees(tmp_path: Path) -> None:
    zone(tmp_path, 0, 'CPU-therm', '48250')
    zone(tmp_path, 1, 'GPU-therm', '-1500')
    mode = tmp_path / 'status'
    mode.write_text('pmode:0002\n', encoding='ascii')
    assert host_health(tmp_path, mode) == {
        'temperature_c.CPU-therm': '48.2',
        'temperature_c.GPU-therm': '-1.5',
        'power_mode': 'pmode:0002',
    }


@pytest.mark.parametrize('nonsense', ['-256000', '999999', 'warm', ''])
def test_what_no_sensor_means_is_left_out(tmp_path: Path, nonsense: str) -> None:
    zone(tmp_path, 0, 'off', nonsense)
    assert host_health(tmp_path, tmp_path / 'absent') == {}


def test_a_zone_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    zone(tmp_path, 0, 'first', '20000')
    (tmp_path / 'thermal_zone1').mkdir()
    zone(tmp_path, 2, 'last', '30000')
    found = host_health(tmp_path, tmp_path / 'absent')
    assert set(found) == {'temperature_c.first', 'temperature_c.last'}
