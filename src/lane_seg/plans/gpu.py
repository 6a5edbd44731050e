"""The GPU of this machine, asked of NVIDIA's driver itself: no other library is needed."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache

from lane_seg.errors import EngineError

__all__ = ['Gpu', 'gpu_info', 'load_driver']

_DRIVER = 'libcuda.so.1'
# CUdevice_attribute of the CUDA driver API.
_MAJOR, _MINOR = 75, 76
_NAME_BYTES = 256
_ADVICE = (
    'build and run TensorRT plans on the machine with the GPU that will run them; '
    '`nvidia-smi` (on a Jetson: `tegrastats`) tells whether its driver works'
)


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes:
        name: as the driver says, for example 'NVIDIA GeForce RTX 4090' or 'Orin'.
        compute_capability: for example '8.9'.
        driver: newest CUDA version that the driver supports, for example '12.6'.
    """

    name: str
    compute_capability: str
    driver: str


def load_driver() -> ctypes.CDLL:
    """Load the library of NVIDIA's driver (the CUDA driver API).

    Raises:
        EngineError: there is none.
    """
    try:
        return ctypes.CDLL(_DRIVER)
    except OSError as error:
        raise EngineError(
            f"expected NVIDIA's driver ({_DRIVER}), found: {error}; {_ADVICE}"
        ) from error


@lru_cache(maxsize=1)
def gpu_info() -> Gpu:
    """Describe the first GPU that this process may use (CUDA_VISIBLE_DEVICES counts).

    Raises:
        EngineError: no driver, or no GPU; the message says which.
    """
    driver = load_driver()
    _call(driver, 'cuInit', 0)
    count, device, version = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    _call(driver, 'cuDeviceGetCount', ctypes.byref(count))
    if count.value < 1:
        raise EngineError(f'expected an NVIDIA GPU, found none that is visible; {_ADVICE}')
    _call(driver, 'cuDeviceGet', ctypes.byref(device), 0)
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _call(driver, 'cuDeviceGetName', name, _NAME_BYTES, device)
    numbers = []
    for attribute in (_MAJOR, _MINOR):
        number = ctypes.c_int()
        _call(driver, 'cuDeviceGetAttribute', ctypes.byref(number), attribute, device)
        numbers.append(number.value)
    _call(driver, 'cuDriverGetVersion', ctypes.byref(version))
    return Gpu(
        name=name.value.decode(errors='replace'),
        compute_capability=f'{numbers[0]}.{numbers[1]}',
        driver=f'{version.value // 1000}.{version.value % 1000 // 10}',
    )


def _call(driver: ctypes.CDLL, function: str, *arguments: object) -> None:
    code: int = getattr(driver, function)(*arguments)
    if code != 0:
        raise EngineError(
            f'expected a GPU that works, found that {function} of {_DRIVER} failed with CUDA '
            f'error {code}; {_ADVICE}'
        )
