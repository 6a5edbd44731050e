"""`lane-seg data`: check, count, look at and prepare the data sets of a recipe."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Look at the data sets of a recipe before training on them.\n\n'
    '  check    every pair: broken files, wrong sizes, unknown values, leaks from train into val\n'
    '  stats    classes, sizes, brightness, in numbers and as charts\n'
    '  preview  contact sheets: images, labels, augmentation\n'
    '  prepare  write pairs at the size of the network as plain PNGs\n\n'
    'None of them changes a file of a data set.'
)
EPILOG = """examples:
  lane-seg data check recipe.yaml --data ~/datasets --write-exclude ~/datasets/exclude
  lane-seg data stats recipe.yaml --data ~/datasets --plot stats.png --csv images.csv
  lane-seg data preview recipe.yaml --data ~/datasets --output preview --augmented 4
  lane-seg data prepare recipe.yaml --data ~/datasets --output ~/datasets/prepared --augmented 2

`lane-seg data check --help` and the like explain each."""

CHECK = """Read every pair and list all that is wrong; the exit code is 1 if anything is.

Faults: broken or cut files, images without labels, sizes that differ, label values or colours that
the recipe does not name, equal images with different labels, and training images that a validation
set holds as well - the same file, a copy, a mirrored copy, or the next frame of a standing camera.
--write-exclude lists the pairs to leave out; no file of a data set is touched."""
STATS = """Count what the labels hold and what the images are like.

Shares of each class and of each choice of classes, share of foreground, image sizes, mean and
deviation of the channels, brightness, and weights for the loss by median frequency balancing."""
PREVIEW = """Draw a contact sheet (JPEG) of each data set: image, label over it, legend.

Labels that leave a choice of classes are striped in their colours, ignored pixels are hatched."""
PREPARE = """Write pairs at the size of the network as plain PNGs, labels as ids.

The folder gets manifest.jsonl, which names the source of each file, and recipe.yaml, which reads
the result. Stopped half-way, the same command goes on. Nothing is overwritten without --force."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    check = _action(actions, 'check', 'find what is wrong with the pairs', CHECK)
    check.add_argument('--json', type=Path, metavar='FILE', help='also write the findings to it')
    check.add_argument(
        '--write-exclude', type=Path, metavar='DIR',
        help='write a list for each data set of the pairs to leave out, for its "exclude"',
    )  # fmt: skip
    check.add_argument(
        '--near', type=float, default=0.98, metavar='R',
        help='correlation of small grey pictures that makes near-duplicates (default: 0.98)',
    )  # fmt: skip
    check.add_argument('--all', action='store_true', help='print every finding')
    _add_workers(check)
    stats = _action(actions, 'stats', 'count classes, sizes, brightness', STATS)
    stats.add_argument('--plot', type=Path, metavar='FILE', help='draw charts to this PNG')
    stats.add_argument('--csv', type=Path, metavar='FILE', help='write a row for each image')
    stats.add_argument('--json', type=Path, metavar='FILE', help='also write the numbers to it')
    _add_workers(stats)
    preview = _action(actions, 'preview', 'draw contact sheets', PREVIEW)
    preview.add_argument(
        '--output', type=Path, default=Path('preview'), metavar='DIR', help='(default: preview)'
    )
    preview.add_argument(
        '--count', type=int, default=8, metavar='N', help='pairs of each data set (default: 8)'
    )
    preview.add_argument(
        '--random', action='store_true', help='take them by chance, not evenly spaced'
    )
    preview.add_argument(
        '--augmented', type=int, default=0, metavar='N',
        help='also draw N augmentations of each training pair',
    )  # fmt: skip
    preview.add_argument('--seed', type=int, default=0, help='of all chance (default: 0)')
    prepare = _action(actions, 'prepare', 'write pairs at the size of the network', PREPARE)
    prepare.add_argument('--output', type=Path, required=True, metavar='DIR', help='new folder')
    prepare.add_argument(
        '--augmented', type=int, default=0, metavar='N',
        help='also write N augmented copies of each training pair',
    )  # fmt: skip
    prepare.add_argument('--seed', type=int, default=0, help='of the copies (default: 0)')
    prepare.add_argument(
        '--force', action='store_true', help='delete what an earlier preparation wrote there'
    )
    _add_workers(prepare)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from lane_seg.opencv_log import silence_opencv
    from lane_seg_train.config_file import load_config, with_overrides
    from lane_seg_train.data_tools.actions import ACTIONS
    from lane_seg_train.data_tools.chosen_sets import chosen_sets

    # Files that cannot be decoded are named by us; lines of libraries would tear the bar.
    silence_opencv()
    config = with_overrides(load_config(args.recipe), args.set)
    return ACTIONS[args.action](args, config, chosen_sets(config, args.set_name))


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, more: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=text,
        description=more,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument('recipe', type=Path, help='YAML recipe that names the data sets')
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument(
        '--set-name', action='append', default=[], metavar='NAME',
        help='only this data set: camvid_road, val/camvid_road, train, ...; may be repeated',
    )  # fmt: skip
    parser.add_argument(
        '--set', action='append', default=[], metavar='KEY=VALUE', help='change one key'
    )
    return parser


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--workers', type=int, default=0, metavar='N', help='processes (default: one per core)'
    )
