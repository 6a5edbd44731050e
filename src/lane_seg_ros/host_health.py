"""Temperatures, power and power mode of this machine, as far as Linux lets anybody read them.

Temperatures come from the thermal zones of sysfs (driver-api/thermal/sysfs-api.rst in the Linux
kernel's documentation), in thousandths of a degree. Power comes from the INA3221 monitors that a
Jetson has on its supply rails (hwmon/ina3221.rst): in<N>_label names a rail, in<N>_input is its
voltage in mV, curr<N>_input its current in mA, N from 1 to 3; what is numbered higher is shunt
voltages and sums. The power mode is what nvpmodel of a Jetson has written down; `nvpmodel -q`,
which says it in words, wants root.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ['host_health']

_THERMAL = Path('/sys/class/thermal')
_POWER = Path('/sys/bus/i2c/drivers/ina3221')
_POWER_MODE = Path('/var/lib/nvpmodel/status')
_CHANNELS = (1, 2, 3)
# Sensors that are switched off say nonsense, -256 degrees for example.
_PLAUSIBLE_C = (-40.0, 150.0)


def host_health(
    thermal: Path = _THERMAL, power_mode: Path = _POWER_MODE, power: Path = _POWER
) -> dict[str, str]:
    """Read what can be read.

    Args:
        thermal: folder of the thermal zones.
        power_mode: file of nvpmodel.
        power: folder of the INA3221 driver, <bus>-<address>/hwmon/hwmon<N>/ below it.

    Returns:
        {'temperature_c.<zone>': degrees Celsius, ..., 'power_w.<rail>': watts, ..., 'power_mode':
        as nvpmodel writes it}; what cannot be read is left out.
    """
    values: dict[str, str] = {}
    for zone in sorted(thermal.glob('thermal_zone*')):
        with suppress(OSError, ValueError):
            celsius = _number(zone / 'temp') / 1000.0
            if _PLAUSIBLE_C[0] <= celsius <= _PLAUSIBLE_C[1]:
                values[f'temperature_c.{_line(zone / "type")}'] = f'{celsius:.1f}'
    for monitor in sorted(power.glob('*/hwmon/hwmon*')):
        for channel in _CHANNELS:
            with suppress(OSError, ValueError):
                rail = _line(monitor / f'in{channel}_label')
                millivolts = _number(monitor / f'in{channel}_input')
                milliamperes = _number(monitor / f'curr{channel}_input')
                values[f'power_w.{rail}'] = f'{millivolts * milliamperes / 1e6:.2f}'
    with suppress(OSError, ValueError):
        values['power_mode'] = _line(power_mode)
    return values


def _line(path: Path) -> str:
    """The first line of a file of ASCII text."""
    return path.read_text(encoding='ascii').strip().partition('\n')[0]


def _number(path: Path) -> int:
    """The whole number in a file."""
    return int(_line(path))
