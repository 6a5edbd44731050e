"""The errors of the core. Each message says what was expected, what was found, what to do."""

from __future__ import annotations

from typing import Literal

__all__ = ['BundleError', 'EngineError', 'ImageError', 'ImageErrorCause', 'LaneSegError']

ImageErrorCause = Literal['encoding', 'truncated', 'step', 'size', 'type', 'compressed']


class LaneSegError(Exception):
    """Base of every error that a user can mend; its text is meant to be shown as it is."""


class BundleError(LaneSegError):
    """A model bundle is missing, incomplete, altered, or breaks the contract of `model.yaml`."""


class EngineError(LaneSegError):
    """An inference engine cannot be opened, or does not fit the bundle."""


class ImageError(LaneSegError):
    """An input image cannot be used.

    Attributes:
        cause: short stable key, for counting: 'encoding' (not supported), 'truncated' (less data
            than rows x step), 'step' (row shorter than width x channels), 'size' (zero or
            inconsistent), 'type' (not a uint8 BGR array, not an image file), 'compressed' (JPEG
            or PNG data that cannot be decoded).
    """

    def __init__(self, message: str, *, cause: ImageErrorCause) -> None:
        super().__init__(message)
        self.cause: ImageErrorCause = cause
