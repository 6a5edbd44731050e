"""NVIDIA's two libraries with one Python API: TensorRT, and its flavour for RTX workstations."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import EngineError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ['FLAVOURS', 'Library', 'installed_flavours', 'open_library', 'version_numbers']

FLAVOURS = ('tensorrt', 'rtx')
# Modules that offer the API; TensorRT-RTX from PyPI is bindings without the libraries.
_MODULES = {'tensorrt': ('tensorrt',), 'rtx': ('tensorrt_rtx', 'tensorrt_rtx_bindings')}
# The package of ONNX Runtime's plug-in carries the libraries that the bindings need. Loaded in
# this order and for all to see, they resolve by their names, without LD_LIBRARY_PATH.
_CARRIER = 'onnxruntime_ep_nv_tensorrt_rtx'
_CARRIED = ('libcudart.so.*', 'libtensorrt_rtx.so.*', 'libtensorrt_onnxparser_rtx.so.*')
_INSTALL = {
    'tensorrt': (
        'TensorRT comes with JetPack on a Jetson (sudo apt install python3-libnvinfer; use the '
        "system's Python, or a venv made with --system-site-packages); on a PC: "
        'python3 -m pip install tensorrt'
    ),
    'rtx': (
        "TensorRT-RTX: python3 -m pip install 'lane_seg_ros[tensorrt-rtx]' (that is "
        'tensorrt-rtx-cu13-bindings==1.7.1.116 onnxruntime-ep-nv-tensorrt-rtx-cu13==0.5.0)'
    ),
}
_OLDEST = (8, 5)


@dataclass(frozen=True)
class Library:
    """A loaded library.

    Attributes:
        flavour: 'tensorrt' or 'rtx'.
        version: its full version, for example '10.3.0' or '1.7.1.116'.
        api: the Python module.
    """

    flavour: str
    version: str
    api: ModuleType

    @property
    def generation(self) -> int:
        """Which API it speaks: the major version of TensorRT; 11 for TensorRT-RTX."""
        return 11 if self.flavour == 'rtx' else version_numbers(self.version)[0]


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: '10.3.0.26+cuda12' -> (10, 3, 0, 26)."""
    numbers = []
    for part in version.split('+')[0].split('.'):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers) or (0,)


def installed_flavours() -> list[str]:
    """List the flavours whose Python module is there, without loading any."""
    return [
        flavour
        for flavour in FLAVOURS
        if any(importlib.util.find_spec(name) is not None for name in _MODULES[flavour])
    ]


def open_library(flavour: str = 'auto') -> Library:
    """Load TensorRT, or TensorRT-RTX.

    Args:
        flavour: 'tensorrt', 'rtx', or 'auto': TensorRT if it loads, else TensorRT-RTX.

    Raises:
        EngineError: not installed, not loadable or too old; the message says what to install.
    """
    if flavour != 'auto':
        return _open(flavour)
    reasons = []
    for name in FLAVOURS:
        try:
            return _open(name)
        except EngineError as error:
            reasons.append(str(error))
    raise EngineError('\n'.join(reasons))


@lru_cache(maxsize=len(FLAVOURS))
def _open(flavour: str) -> Library:
    if flavour not in FLAVOURS:
        raise EngineError(f'expected flavour auto, {" or ".join(FLAVOURS)}, found {flavour!r}')
    names = [name for name in _MODULES[flavour] if importlib.util.find_spec(name) is not None]
    if not names:
        raise EngineError(
            f'flavour {flavour}: expected the Python package {" or ".join(_MODULES[flavour])}, '
            f'found none; {_INSTALL[flavour]}'
        )
    try:
        if flavour == 'rtx':
            _load_carried()
        api = importlib.import_module(names[0])
    except (ImportError, OSError) as error:
        raise EngineError(
            f'flavour {flavour}: expected to load {names[0]}, found: {error}; {_INSTALL[flavour]}'
        ) from error
    version = str(getattr(api, '__version__', ''))
    if not hasattr(api, 'Builder'):
        # For example PyPI's `tensorrt`, when the download of what it stands for has failed.
        raise EngineError(
            f'flavour {flavour}: expected the API of TensorRT in {names[0]}, found an empty '
            f'package; {_INSTALL[flavour]}'
        )
    if flavour == 'tensorrt' and version_numbers(version) < _OLDEST:
        raise EngineError(
            f'flavour {flavour}: expected TensorRT 8.5 to 11, found {version or "no version"}; '
            f'{_INSTALL[flavour]}'
        )
    return Library(flavour, version, api)


def _load_carried() -> None:
    """Load the libraries from the package that carries them; without it the system's are used."""
    spec = importlib.util.find_spec(_CARRIER)
    for folder in [] if spec is None else spec.submodule_search_locations or []:
        for pattern in _CARRIED:
            for path in sorted(Path(folder).glob(pattern))[:1]:
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
