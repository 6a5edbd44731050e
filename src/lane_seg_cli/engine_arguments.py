"""Arguments that several commands share: which model, and what runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lane_seg.engines import ENGINES

if TYPE_CHECKING:
    import argparse

__all__ = ['add_bundle_argument', 'add_engine_arguments']


def add_bundle_argument(parser: argparse.ArgumentParser) -> None:
    """Declare --model."""
    parser.add_argument(
        '--model', default='default', metavar='DIR', help='bundle (default: the shipped one)'
    )


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --engine and --threads."""
    parser.add_argument('--engine', choices=ENGINES, default='auto', help='(default: auto)')
    parser.add_argument(
        '--threads', type=int, default=0, metavar='N', help='CPU threads (default: engine decides)'
    )
