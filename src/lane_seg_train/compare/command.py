"""`lane-seg compare`: float against int8, in every engine that can run them here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg_train.compare.contenders import ENGINES

if TYPE_CHECKING:
    import argparse

    from lane_seg.bundle import ModelBundle
    from lane_seg_train.compare.accuracy import SeenFrame
    from lane_seg_train.compare.frames import FrameSet
    from lane_seg_train.compare.results import Comparison
    from lane_seg_train.config import TrainConfig

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Compare an int8 model with its float original, engine by engine: size of the file, latency,\n'
    'throughput, memory, IoU, agreement, and the time of each layer.\n\n'
    'Each contender runs in a process of its own, and they are timed in turn. What really ran is\n'
    'printed and checked. The output folder gets report.html, compare.md, .csv and .json, the\n'
    'layers of each contender, charts, and pictures of where the masks differ.\n'
    'Exit code 1: a check failed, or a contender could not be measured.'
)
EPILOG = """examples:
  lane-seg compare --int8 models/default --float models/default_fp32 \\
      --checkpoint runs/default/checkpoint.pt --data ~/datasets
  lane-seg compare --int8 models/mine --float models/mine_fp32 --images photos --engines openvino
  lane-seg compare --int8 models/mine --float models/mine_fp32 --data ~/datasets \\
      --max-drop 0.5 --min-speedup 3 --max-size 0.27

Leave the machine alone meanwhile. docs/compare.md says what each column means."""

RECIPE = 'recipe.yaml'
MIOU = 'miou'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('--int8', required=True, metavar='BUNDLE', help='the quantized bundle')
    parser.add_argument('--float', metavar='BUNDLE', help='the bundle in float')
    parser.add_argument(
        '--checkpoint', type=Path, action='append', default=[], metavar='FILE',
        help='of the same network, runs in PyTorch; may be given twice, in float and quantized',
    )  # fmt: skip
    parser.add_argument('--data', type=Path, metavar='DIR', help='folder that holds the data sets')
    parser.add_argument(
        '--recipe', type=Path, metavar='FILE',
        help='names the validation sets (default: recipe.yaml of the int8 bundle)',
    )  # fmt: skip
    parser.add_argument(
        '--images', type=Path, metavar='DIR',
        help='images without labels, instead of --data (default: the built-in road scene)',
    )  # fmt: skip
    parser.add_argument(
        '--engines', metavar='LIST', help=f'out of {",".join(ENGINES)} (default: all that can run)'
    )
    parser.add_argument(
        '--threads', type=int, default=0, metavar='N', help='CPU threads (default: all cores)'
    )
    parser.add_argument(
        '--frames', type=int, default=200, metavar='N', help='frames that are timed (200)'
    )
    parser.add_argument('--warmup', type=int, default=20, metavar='N', help='frames before (20)')
    parser.add_argument(
        '--limit', type=int, default=0, metavar='N', help='images of each set (default: all)'
    )
    parser.add_argument(
        '--pictures', type=int, default=6, metavar='N', help='images that differ most (6)'
    )
    parser.add_argument(
        '--max-drop', type=float, default=0.5, metavar='POINTS',
        help='most lane IoU that int8 may lose, in percent points (0.5)',
    )  # fmt: skip
    parser.add_argument(
        '--min-speedup', type=float, metavar='X', help='least speed-up of int8 in the same engine'
    )
    parser.add_argument(
        '--max-size',
        type=float,
        metavar='X',
        help='largest int8 file, as a share of the float one',
    )
    parser.add_argument(
        '--min-parity', type=float, default=99.9, metavar='PERCENT',
        help='least pixels like a quantized --checkpoint in PyTorch (99.9)',
    )  # fmt: skip
    parser.add_argument(
        '--output', type=Path, default=Path('compare'), metavar='DIR', help='(default: compare)'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write all figures here')


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    _check(args)

    from rich.console import Console

    from lane_seg.bundle import ModelBundle
    from lane_seg.machine import usable_cores
    from lane_seg_train.compare.contenders import find_contenders
    from lane_seg_train.compare.measuring import Settings, compare
    from lane_seg_train.compare.tables import rich_tables
    from lane_seg_train.compare.verdict import Limits

    words = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    int8 = ModelBundle.load(args.int8)
    floating = ModelBundle.load(args.float) if args.float else None
    field = find_contenders(int8, floating, args.checkpoint, _engines(args.engines))
    for name, why in field.skipped.items():
        words.print(f'skipped {name}: {why}')
    config = _recipe(args, int8) if args.data else None
    settings = Settings(
        threads=args.threads or usable_cores(),
        frames=args.frames,
        warmup=args.warmup,
        monitor=_monitor(config) if config else '',
    )
    limits = Limits(args.max_drop, args.min_speedup, args.max_size, args.min_parity)
    sets = _frames(args, int8, config)
    comparison, seen = compare(field, sets, int8, settings, limits, say=words.print)
    paths = _write(comparison, seen, int8, args)
    # As wide as it needs: a table that is cut in a pipe is of no use.
    wide = Console(width=max(160, Console().width), highlight=False)
    for table in rich_tables(comparison):
        wide.print(table)
    plain = Console(markup=False, highlight=False, soft_wrap=True)
    plain.print(str(comparison.machine))
    for path in paths:
        plain.print(str(path))
    failed = [check for check in comparison.checks if check.holds is False]
    for check in failed:
        plain.print(f'FAILED {check.what}: {check.found}; wanted: {check.wanted}')
    return 1 if failed else 0


def _check(args: argparse.Namespace) -> None:
    if not args.float and not args.checkpoint:
        raise LaneSegError(
            'expected something in float to compare with, found nothing; give --float, '
            '--checkpoint or both'
        )
    if args.data and args.images:
        raise LaneSegError('expected --data or --images, found both; leave one of them away')
    counts = (args.frames, args.warmup, args.threads, args.limit, args.pictures)
    if args.frames < 1 or min(counts) < 0:
        raise LaneSegError(
            'expected --frames of at least 1, --warmup, --threads, --limit and --pictures of at '
            f'least 0, found {", ".join(str(count) for count in counts)} in this order'
        )


def _engines(text: str | None) -> list[str]:
    names = [name.strip() for name in text.split(',') if name.strip()] if text else []
    unknown = [name for name in names if name not in ENGINES]
    if unknown or (text is not None and not names):
        raise LaneSegError(
            f'--engines: expected names out of {",".join(ENGINES)}, found '
            f'{unknown[0] if unknown else text!r}'
        )
    return names


def _recipe(args: argparse.Namespace, int8: ModelBundle) -> TrainConfig:
    from lane_seg_train.config_file import load_config

    path = args.recipe or int8.directory / RECIPE
    if not path.is_file():
        raise LaneSegError(
            f'expected a recipe that names the validation sets, found no file {path}; name one '
            'with --recipe'
        )
    return load_config(path)


def _monitor(config: TrainConfig) -> str:
    """The score that matters most; without one that of training: the first set's mean."""
    return config.monitor or f'{config.val[0].name}/{MIOU}'


def _frames(
    args: argparse.Namespace, int8: ModelBundle, config: TrainConfig | None
) -> list[FrameSet]:
    from lane_seg_train.compare.frames import folder_frames, labelled_frames, scene_frames

    if config is not None:
        classes = [info.name for info in int8.classes]
        size = (int8.height, int8.width)
        return labelled_frames(config, classes, size, args.data, args.limit)
    if args.images:
        return folder_frames(args.images, args.limit)
    return scene_frames(args.limit)


def _write(
    comparison: Comparison,
    seen: list[SeenFrame],
    int8: ModelBundle,
    args: argparse.Namespace,
) -> list[Path]:
    """Write all files, the page last."""
    from lane_seg.files import write_text
    from lane_seg_train.compare.charts import write_charts
    from lane_seg_train.compare.page import write_page
    from lane_seg_train.compare.pictures import chosen, write_pictures
    from lane_seg_train.compare.tables import json_of, write_tables

    output = args.output
    paths = write_tables(comparison, output)
    charts = write_charts(comparison, output)
    pictures = write_pictures(
        chosen(seen, args.pictures), (comparison.reference, comparison.shown), int8, output
    )
    page = write_page(comparison, output, charts, pictures)
    if args.json:
        write_text(args.json, json_of(comparison))
        paths.append(args.json)
    return [*paths, *charts, *pictures, page]
