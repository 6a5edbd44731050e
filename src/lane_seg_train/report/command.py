"""`lane-seg report`: draw the curves and the page of a run anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Write curves.png and report.html of a run, finished or not. The page is one file that needs\n'
    'nothing else: curves, validations, predictions, configuration, machine.'
)
EPILOG = """examples:
  lane-seg report runs/mine
  lane-seg report runs/*"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        'runs', type=Path, nargs='+', metavar='RUN', help='run folder of `lane-seg train`'
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from rich.console import Console

    from lane_seg_train.report.curves import write_curves
    from lane_seg_train.report.html import write_report

    console = Console()
    for folder in args.runs:
        for path in (write_curves(folder), write_report(folder)):
            console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    return 0
