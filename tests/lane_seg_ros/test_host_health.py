"""Temperatures, power and its mode as files tell them, and silence where they do not."""

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
    assert host_health(tmp_path, mode, tmp_path / 'none') == {
        'temperature_c.CPU-therm': '48.2',
        'temperature_c.GPU-therm': '-1.5',
        'power_mode': 'pmode:0002',
    }


@pytest.mark.parametrize('nonsense', ['-256000', '999999', 'warm', ''])
def test_what_no_sensor_means_is_left_out(tmp_path: Path, nonsense: str) -> None:
    zone(tmp_path, 0, 'off', nonsense)
    assert host_health(tmp_path, tmp_path / 'absent', tmp_path / 'none') == {}


def test_a_zone_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    zone(tmp_path, 0, 'first', '20000')
    (tmp_path / 'thermal_zone1').mkdir()
    zone(tmp_path, 2, 'last', '30000')
    found = host_health(tmp_path, tmp_path / 'absent', tmp_path / 'none')
    assert set(found) == {'temperature_c.first', 'temperature_c.last'}


def rail(folder: Path, channel: int, name: str, millivolts: str, milliamperes: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'in{channel}_label').write_text(f'{name}\n', encoding='ascii')
    (folder / f'in{channel}_input').write_text(f'{millivolts}\n', encoding='ascii')
    (folder / f'curr{channel}_input').write_text(f'{milliamperes}\n', encoding='ascii')


def power_of(folder: Path) -> dict[str, str]:
    return host_health(folder / 'none', folder / 'none', folder)


def test_power_is_told_by_rail_in_watts(tmp_path: Path) -> None:
    # As Jetson Linux 36 has it on Orin NX; the names of the rails are those of the board.
    monitor = tmp_path / '1-0040' / 'hwmon' / 'hwmon3'
    rail(monitor, 1, 'VDD_IN', '5040', '1528')
    rail(monitor, 2, 'VDD_CPU_GPU_CV', '5032', '408')
    rail(tmp_path / '1-0041' / 'hwmon' / 'hwmon4', 1, 'VDD_SOC', '5032', '0')
    assert power_of(tmp_path) == {
        'power_w.VDD_IN': '7.70',
        'power_w.VDD_CPU_GPU_CV': '2.05',
        'power_w.VDD_SOC': '0.00',
    }


def test_a_sum_of_shunt_voltages_is_no_rail(tmp_path: Path) -> None:
    monitor = tmp_path / '1-0040' / 'hwmon' / 'hwmon3'
    rail(monitor, 7, 'sum of shunt voltages', '1', '1')
    assert power_of(tmp_path) == {}


def test_a_channel_that_is_switched_off_does_not_hide_the_others(tmp_path: Path) -> None:
    monitor = tmp_path / '1-0040' / 'hwmon' / 'hwmon3'
    rail(monitor, 1, 'VDD_IN', '', '')
    rail(monitor, 2, 'VDD_SOC', '5000', '100')
    assert power_of(tmp_path) == {'power_w.VDD_SOC': '0.50'}
