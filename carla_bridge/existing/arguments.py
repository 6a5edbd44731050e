"""The options of `carla-bridge collect --existing`, and doing it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

__all__ = ['add_arguments', 'run']

_LISTED_NOTES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a conversion; --output is the collection's own."""
    group = parser.add_argument_group('recordings of other tools')
    group.add_argument(
        '--existing',
        type=Path,
        metavar='INPUT',
        help='convert a folder of pictures and semantic pictures, or a ROS bag, to --output; '
        'needs neither plan nor server',
    )
    group.add_argument(
        '--kind',
        choices=('auto', 'tags', 'palette', 'bag'),
        default='auto',
        help='tags: numbers in the red or only channel; palette: CityScapes colours; '
        'bag: ROS 1 or ROS 2 (default: what is found)',
    )
    group.add_argument(
        '--version',
        metavar='V',
        help='of CARLA, such as 0.9.13 (default: what the tags say, if they do)',
    )
    group.add_argument(
        '--rgb', metavar='GLOB', help='pictures below INPUT, or their topic (default: by words)'
    )
    group.add_argument('--seg', metavar='GLOB', help='the same of semantic pictures')
    group.add_argument(
        '--block',
        type=int,
        default=50,
        metavar='N',
        help='frames in a row that belong to one split (default: 50)',
    )
    group.add_argument(
        '--gap',
        type=int,
        default=6,
        metavar='N',
        help='frames left out between two splits (default: 6)',
    )
    group.add_argument('--seed', type=int, default=0, metavar='N', help='of the splits')
    group.add_argument(
        '--skip-near-duplicates',
        action='store_true',
        help='leave out frames that look like the one before, as of a car that stands',
    )


def run(args: argparse.Namespace) -> int:
    """Convert, and say what was done."""
    from rich.progress import Progress

    from carla_bridge.existing.convert import ConvertOptions, convert
    from lane_seg.errors import LaneSegError

    if args.output is None:
        raise LaneSegError('expected --output DIR, the folder of the new recording, found none')
    options = ConvertOptions(
        input=args.existing,
        output=args.output,
        kind=args.kind,
        version=args.version,
        rgb=args.rgb,
        seg=args.seg,
        block=args.block,
        gap=args.gap,
        seed=args.seed,
        skip_near_duplicates=args.skip_near_duplicates,
    )
    with Progress(transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task('converting', total=None)
        summary = convert(
            options, lambda done, total: bar.update(task, completed=done, total=total)
        )
    for note in summary.notes[:_LISTED_NOTES]:
        sys.stderr.write(f'note: {note}\n')
    if len(summary.notes) > _LISTED_NOTES:
        sys.stderr.write(f'note: and {len(summary.notes) - _LISTED_NOTES} more of the kind\n')
    counts = ', '.join(f'{count} {split}' for split, count in sorted(summary.counts.items()))
    sys.stdout.write(
        f'{summary.evidence}\n'
        f'{summary.counts.total()} frames in {args.output} ({counts}), {summary.new} of them '
        f'new; left out: {summary.in_gaps} between splits, {summary.duplicates} near-duplicates\n'
    )
    return 0
