"""Temperatures and power mode of this machine, as far as Linux lets anybody read them.

Temperatures come from the thermal zones of sysfs (driver-api/thermal/sysfs-api.rst in the Linux
kernel's documentation), in thousandths of a degree. The power mode is what nvpmodel of a Jetson
has written down; `nvpmodel -q`, which says it in words, wants root.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ['host_health']

_THERMAL = Path('/sys/class/thermal')
_POWER_MODE = Path('/var/lib/nvpmodel/status')
# Sensors that are switched off say nonsense, -256 degrees for example.
_PLAUSIBLE_C = (-40.0, 150.0)


def host_health(thermal: Path = _THERMAL, power_mode: Path = _POWER_MODE) -> dict[str, str]:
    """Read what can be read.

    Args:
        thermal: folder of the thermal zones.
        power_mode: file of nvpmodel.

    Returns:
        {'temperature_c.<zone>': degrees Celsius, ..., 'power_mode': as nvpmodel writes it}; what
        cannot be read is left out.
    """
    values: dict[str, str] = {}
    for zone in sorted(thermal.glob('thermal_zone*')):
        with suppress(OSError, ValueError):
            name = (zone / 'type').read_text(encoding='ascii').strip()
            celsius = int((zone / 'temp').read_text(encoding='ascii')) / 1000.0
            if _PLAUSIBLE_C[0] <= celsius <= _PLAUSIBLE_C[1]:
                values[f'temperature_c.{name}'] = f'{celsius:.1f}'
    with suppress(OSError, ValueError):
        values['power_mode'] = power_mode.read_text(encoding='ascii').strip().partition('\n')[0]
    return values
