"""Errors of the command line."""

from __future__ import annotations

from lane_seg.errors import LaneSegError

__all__ = ['UsageError']


class UsageError(LaneSegError):
    """The command was typed wrongly: exit code 2."""
