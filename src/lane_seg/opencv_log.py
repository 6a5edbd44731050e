"""OpenCV's own lines on the terminal, which would tear a progress bar."""

from __future__ import annotations

import cv2

__all__ = ['silence_opencv']

_SILENT = 0


def silence_opencv() -> None:
    """Let OpenCV log nothing from now on; what cannot be decoded is named by us."""
    # Ubuntu's OpenCV, 4.5.4 and 4.6.0, has the first; that of PyPI, 5.0, only the second.
    set_level = getattr(cv2, 'setLogLevel', None) or cv2.utils.logging.setLogLevel
    set_level(_SILENT)
