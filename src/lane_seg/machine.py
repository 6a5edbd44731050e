"""On what machine a number was measured: a timing means nothing without it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ['MachineInfo', 'int8_sums_saturate', 'machine_info', 'usable_cores']

# Instructions that decide how fast int8 networks run.
_FEATURES = (
    'avx2', 'avx512f', 'avx_vnni', 'avx512_vnni', 'amx_int8', 'asimd', 'asimddp', 'i8mm',
)  # fmt: skip
# Each of them adds products of int8 in 32 bits.
_WIDE_SUMS = {'avx_vnni', 'avx512_vnni', 'amx_int8'}
_X86 = {'x86_64', 'amd64', 'i386', 'i486', 'i586', 'i686', 'x86'}
_LIBRARIES = ('numpy', 'cv2', 'onnx', 'onnxruntime', 'openvino', 'tensorrt')
_CPU_INFO = Path('/proc/cpuinfo')
# On boards such as the Jetson /proc/cpuinfo does not name the CPU; this file names the board.
_BOARD = Path('/proc/device-tree/model')


@dataclass(frozen=True)
class MachineInfo:
    """A machine at one moment.

    Attributes:
        cpu: model of the CPU, or of the board.
        cpu_features: those of its instructions that matter for int8 networks.
        cores: logical cores of the machine.
        cores_usable: those that this process may use.
        load_1m: processes that wanted a core, mean of the last minute; NaN if not known.
        system: operating system and architecture.
        python: version.
        libraries: {name: version} of the libraries that are loaded.
    """

    cpu: str
    cpu_features: tuple[str, ...]
    cores: int
    cores_usable: int
    load_1m: float
    system: str
    python: str
    libraries: dict[str, str]

    def __str__(self) -> str:
        libraries = ', '.join(f'{name} {version}' for name, version in self.libraries.items())
        features = f' ({", ".join(self.cpu_features)})' if self.cpu_features else ''
        return (
            f'{self.cpu}{features}\n'
            f'{self.cores_usable} of {self.cores} cores, load {self.load_1m:.1f}\n'
            f'{self.system}, Python {self.python}, {libraries}'
        )


def usable_cores() -> int:
    """Logical cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_info() -> MachineInfo:
    """Describe this machine now; call it after the libraries were imported."""
    cpu = _cpu_info()
    flags = _flags(cpu)
    return MachineInfo(
        cpu=cpu.get('model name') or _board() or platform.processor() or platform.machine(),
        cpu_features=tuple(name for name in _FEATURES if name in flags),
        cores=os.cpu_count() or 1,
        cores_usable=usable_cores(),
        load_1m=os.getloadavg()[0] if hasattr(os, 'getloadavg') else float('nan'),
        system=platform.platform(),
        python=platform.python_version(),
        libraries={
            name: str(getattr(sys.modules[name], '__version__', 'unknown')).split('-')[0]
            for name in _LIBRARIES
            if name in sys.modules
        },
    )


def int8_sums_saturate() -> bool:
    """Tell whether this CPU adds products of uint8 and int8 in 16 bits, where they may saturate.

    x86 without VNNI multiplies with vpmaddubsw, which adds two products into a saturating int16:
    255 * 127 * 2 is twice what fits. An x86 CPU that does not tell its instructions counts as one
    without. Other architectures have wide sums.
    """
    if platform.machine().lower() not in _X86:
        return False
    return not _WIDE_SUMS.intersection(_flags(_cpu_info()))


def _flags(cpu: dict[str, str]) -> list[str]:
    return (cpu.get('flags') or cpu.get('Features') or '').split()


def _cpu_info() -> dict[str, str]:
    """The first processor of /proc/cpuinfo: {field: value}; empty where there is no such file."""
    try:
        text = _CPU_INFO.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return {}
    pairs = (line.partition(':') for line in text.partition('\n\n')[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _board() -> str:
    try:
        return _BOARD.read_text(encoding='utf-8', errors='replace').strip('\0\n ')
    except OSError:
        return ''
