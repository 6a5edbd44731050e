"""What is worth knowing of a device that runs the node, and nothing of whom it belongs to.

Read from files of the Linux kernel and of Jetson Linux (L4T); what is not there is left out.
"""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lane_seg.errors import EngineError

__all__ = ['DeviceFacts', 'device_facts', 'without_names']

# Names of distributions; apt and pip have given the parts of ROS different ones.
_DISTRIBUTIONS = (
    'numpy', 'opencv-python', 'opencv-python-headless', 'onnx', 'onnxruntime', 'onnxruntime-gpu',
    'openvino', 'tensorrt', 'tensorrt-cu12', 'tensorrt-cu13', 'pycuda', 'rclpy', 'ros-rclpy',
)  # fmt: skip
_SHORTEST_NAME = 3


@dataclass(frozen=True)
class DeviceFacts:
    """A device.

    Attributes:
        board: model by the device tree, '' on a PC.
        l4t: first line of /etc/nv_tegra_release: the release of Jetson Linux; '' elsewhere.
        operating_system: name of the distribution.
        kernel: release of the Linux kernel.
        memory_mib: main memory.
        python: version.
        ros: {'ROS_DISTRO': ..., 'RMW_IMPLEMENTATION': ...}, those that are set.
        versions: {distribution: version} of the Python packages that matter.
        gpu: {'name', 'compute_capability', 'driver'}, or {'error': why there is none}.
        clocks: {'cpu0.governor', 'cpu0.mhz', 'gpu.mhz', ...: value} of cpufreq and devfreq.
    """

    board: str
    l4t: str
    operating_system: str
    kernel: str
    memory_mib: int
    python: str
    ros: dict[str, str]
    versions: dict[str, str]
    gpu: dict[str, str]
    clocks: dict[str, str]


def device_facts(root: Path = Path('/')) -> DeviceFacts:
    """Read what can be read.

    Args:
        root: of the file system.
    """
    return DeviceFacts(
        board=_line(root / 'proc/device-tree/model').strip('\0 '),
        l4t=_line(root / 'etc/nv_tegra_release').lstrip('# '),
        operating_system=_os_name(root / 'etc/os-release'),
        kernel=platform.release(),
        memory_mib=_memory_mib(root / 'proc/meminfo'),
        python=platform.python_version(),
        ros={
            name: os.environ[name]
            for name in ('ROS_DISTRO', 'RMW_IMPLEMENTATION')
            if name in os.environ
        },
        versions=_versions(),
        gpu=_gpu(),
        clocks=_clocks(root / 'sys'),
    )


def without_names(text: str) -> str:
    """Blank out home folders and the names of user and host, as error messages may hold them.

    Args:
        text: anything; of JSON, its strings one by one.
    """
    names = {Path.home().as_posix(): '~'}
    with suppress(OSError, KeyError):  # a user without a name, as in some containers
        names[getpass.getuser()] = '<user>'
    names[socket.gethostname()] = '<host>'
    for name, mask in names.items():
        if len(name) >= _SHORTEST_NAME and name != 'root':
            text = re.sub(rf'(?<!\w){re.escape(name)}(?!\w)', lambda _, to=mask: to, text)  # type: ignore[misc]
    return re.sub(r'/home/[^/\s\'":]+', '~', text)


def _line(path: Path) -> str:
    """First line of a file; '' where it cannot be read."""
    with suppress(OSError):
        return path.read_text(encoding='utf-8', errors='replace').partition('\n')[0].strip()
    return ''


def _os_name(path: Path) -> str:
    with suppress(OSError):
        for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
            if line.startswith('PRETTY_NAME='):
                return line.partition('=')[2].strip('"')
    return platform.system()


def _memory_mib(path: Path) -> int:
    found = re.match(r'MemTotal:\s+(\d+) kB', _line(path))
    return int(found[1]) >> 10 if found else 0


def _versions() -> dict[str, str]:
    versions = {}
    for name in _DISTRIBUTIONS:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    # OpenCV from apt is no distribution that Python knows.
    with suppress(ImportError):
        import cv2

        versions['cv2'] = cv2.__version__
    return versions


def _gpu() -> dict[str, str]:
    from lane_seg.plans.gpu import gpu_info

    try:
        gpu = gpu_info()
    except EngineError as error:
        return {'error': str(error)}
    return {
        'name': gpu.name,
        'compute_capability': gpu.compute_capability,
        'driver': gpu.driver,
    }


def _clocks(sys: Path) -> dict[str, str]:
    """Governors and frequencies in MHz: whether clocks are pinned decides what a timing means."""
    clocks: dict[str, str] = {}

    def put(key: str, path: Path, show: Callable[[str], str] = str) -> None:
        with suppress(OSError, ValueError):
            clocks[key] = show(path.read_text(encoding='ascii').strip())

    cpu = sys / 'devices/system/cpu/cpu0/cpufreq'
    put('cpu0.governor', cpu / 'scaling_governor')
    for key in ('cur', 'min', 'max'):
        put(f'cpu0.{key}_mhz', cpu / f'scaling_{key}_freq', lambda khz: f'{int(khz) / 1e3:.0f}')
    # 17000000.gpu on Jetson Orin with JetPack 6, 17000000.ga10b before.
    for gpu in sorted((sys / 'class/devfreq').glob('*.g[pa]*')):
        put(f'{gpu.name}.governor', gpu / 'governor')
        for key in ('cur', 'min', 'max'):
            put(f'{gpu.name}.{key}_mhz', gpu / f'{key}_freq', lambda hz: f'{int(hz) / 1e6:.0f}')
    return clocks
