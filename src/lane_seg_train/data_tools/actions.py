"""What `lane-seg data` does when one of its actions was chosen."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from rich.console import Console

from lane_seg.errors import LaneSegError
from lane_seg.files import write_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from lane_seg_train.config import TrainConfig
    from lane_seg_train.data_tools.chosen_sets import ChosenSet

__all__ = ['ACTIONS', 'run_check', 'run_prepare', 'run_preview', 'run_stats']

MOST_AUGMENTED = 12


def run_check(args: argparse.Namespace, config: TrainConfig, chosen: Sequence[ChosenSet]) -> int:
    """Print what is wrong with data sets; 1 if anything is."""
    from lane_seg_train.data_tools.check import check
    from lane_seg_train.data_tools.check_view import plain_report, print_report
    from lane_seg_train.data_tools.exclude_lists import write_exclude_lists

    if not 0 < args.near <= 1:
        raise LaneSegError(
            f'--near: expected a correlation above 0 and up to 1, found {args.near}'
        )
    report = check(config, chosen, args.data, near=args.near, workers=args.workers)
    console = Console()
    print_report(report, console, args.data, every=args.all)
    if args.json:
        write_text(args.json, json.dumps(plain_report(report), indent=2) + '\n')
    console.print()
    if args.write_exclude:
        lists = write_exclude_lists(report.findings, chosen, args.data, args.write_exclude)
        for item in lists:
            console.print(
                f'wrote {item.path}: {item.count} more pairs to leave out; use it with\n'
                f'  --set {shlex.quote(item.setting)}',
                markup=False, highlight=False, soft_wrap=True,
            )  # fmt: skip
        if not lists:
            console.print('wrote no list: there is nothing that leaving out pairs would mend')
    pairs = sum(item.pairs for item in report.sets)
    if report.faults:
        console.print(f'[bold red]{len(report.faults)} faults[/] in {pairs} pairs')
        return 1
    console.print(f'[bold green]no faults[/] in {pairs} pairs')
    return 0


def run_stats(args: argparse.Namespace, config: TrainConfig, chosen: Sequence[ChosenSet]) -> int:
    """Print numbers of data sets; 1 if pairs could not be read."""
    from lane_seg_train.colours import class_colours
    from lane_seg_train.data_tools.chosen_sets import opened
    from lane_seg_train.data_tools.stats import set_stats
    from lane_seg_train.data_tools.stats_plot import write_stats_plot
    from lane_seg_train.data_tools.stats_view import plain_stats, print_stats, write_csv

    colours = class_colours(config.classes, config)
    stats = set_stats(opened(chosen, config, args.data), workers=args.workers)
    console = Console()
    print_stats(stats, console)
    if args.json:
        write_text(args.json, json.dumps(plain_stats(stats), indent=2) + '\n')
    if args.csv:
        write_csv(stats, args.csv)
    if args.plot:
        title = f'{config.name}: {sum(len(item.images) for item in stats)} images'
        write_stats_plot(stats, args.plot, title=title, colours=colours)
    for path in (args.json, args.csv, args.plot):
        if path:
            console.print(f'wrote {path}', markup=False, highlight=False, soft_wrap=True)
    return 1 if any(item.broken for item in stats) else 0


def run_preview(args: argparse.Namespace, config: TrainConfig, chosen: Sequence[ChosenSet]) -> int:
    """Write contact sheets."""
    from lane_seg_train.colours import class_colours
    from lane_seg_train.data_tools.chosen_sets import TRAIN, file_name, opened
    from lane_seg_train.data_tools.preview import (
        augmented_sheet,
        chosen_pairs,
        preview_sheet,
        write_sheet,
    )

    if args.count < 1 or not 0 <= args.augmented <= MOST_AUGMENTED:
        raise LaneSegError(
            f'expected --count of 1 or more and --augmented of 0 to {MOST_AUGMENTED}, found '
            f'{args.count} and {args.augmented}'
        )
    colours = class_colours(config.classes, config)
    console = Console()
    for item, data in opened(chosen, config, args.data):
        seed = args.seed if args.random else None
        pairs = chosen_pairs(data.pairs, args.count, seed=seed)
        sheets = {file_name(item.key): preview_sheet(item, data, pairs, colours)}
        if args.augmented and item.part == TRAIN:
            sheets[f'{file_name(item.key)}_augmented'] = augmented_sheet(
                item, data, pairs, colours, config.augment, count=args.augmented, seed=args.seed
            )
        for name, sheet in sheets.items():
            path = args.output / f'{name}.jpg'
            write_sheet(path, sheet)
            console.print(f'wrote {path}', markup=False, highlight=False, soft_wrap=True)
    return 0


def run_prepare(args: argparse.Namespace, config: TrainConfig, chosen: Sequence[ChosenSet]) -> int:
    """Write pairs at the size of the network, and a recipe that reads them."""
    from lane_seg_train.data_tools.chosen_sets import opened
    from lane_seg_train.data_tools.prepare import prepare
    from lane_seg_train.data_tools.prepared_recipe import prepared_config, write_prepared_recipe

    sets = opened(chosen, config, args.data)
    result = prepare(
        sets, config, args.output, augmented=args.augmented, seed=args.seed, force=args.force,
        workers=args.workers,
    )  # fmt: skip
    recipe = write_prepared_recipe(
        prepared_config(config, sets, args.data, augmented=args.augmented), args.output
    )
    Console().print(
        f'wrote {result.written} pairs of {config.width}x{config.height} to {args.output}, '
        f'{result.kept} were there\n'
        f'train on them: lane-seg train {shlex.quote(str(recipe))} '
        f'--data {shlex.quote(str(args.output))}',
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    return 0


ACTIONS = {
    'check': run_check, 'stats': run_stats, 'preview': run_preview, 'prepare': run_prepare,
}  # fmt: skip
