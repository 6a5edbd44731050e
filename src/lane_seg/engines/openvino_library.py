"""OpenVINO's Python package, imported without the telemetry that it brings along."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ['load_openvino']

_TELEMETRY = 'openvino_telemetry'


def load_openvino() -> ModuleType:
    """Import OpenVINO.

    `import openvino` tells a server that somebody has imported it, unless the user has opted out,
    and leaves an id in the home folder. A camera's node tells nobody anything. OpenVINO goes on
    without the package that does it where that cannot be imported.

    Raises:
        ImportError: it is not installed, or a library that it needs is not.
    """
    unknown = 'openvino' not in sys.modules and _TELEMETRY not in sys.modules
    if unknown:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        if unknown:
            del sys.modules[_TELEMETRY]
    library: ModuleType = openvino
    return library
