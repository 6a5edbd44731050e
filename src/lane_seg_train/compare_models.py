"""`lane-seg compare-models`: several networks on one budget, in one table and one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from lane_seg_train.comparison.contenders import Budget, Contender
    from lane_seg_train.config import TrainConfig

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Train several networks with the same data, augmentation, seed and number of images, then\n'
    'measure all of them in the same way: parameters, GMAC, size, ms/frame, loss, mean IoU.\n\n'
    'The output folder gets a run folder for each network, and comparison.md, .csv, .json, .png.\n'
    'The same command after an interruption goes on; finished networks are kept. A network that\n'
    'fails is named in the table and does not end the others (the exit code is 1 then).'
)
EPILOG = """examples:
  lane-seg compare-models recipe.yaml --data ~/datasets --nets unet enet fcn8s --steps 2000
  lane-seg compare-models recipe.yaml --data ~/datasets --epochs 20 \\
      --nets small=unet large=unet --net-set small.width=12 --net-set large.width=48
  lane-seg compare-models recipe.yaml --data ~/datasets --runs runs/bce runs/bce_dice

Time is taken after all training, one frame of each network in turn: leave the machine alone
then."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('recipe', type=Path, metavar='RECIPE', help='YAML recipe that is varied')
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument(
        '--nets',
        nargs='+',
        default=[],
        metavar='NET',
        help='networks to train: NAME or LABEL=NAME',
    )
    parser.add_argument(
        '--runs', nargs='+', type=Path, default=[], metavar='RUN',
        help='networks that are trained already: run folders or checkpoint.pt files',
    )  # fmt: skip
    parser.add_argument('--output', type=Path, help='result folder (default: runs/compare_<name>)')
    parser.add_argument(
        '--set', action='append', default=[], metavar='KEY=VALUE', help='change one key for all'
    )
    parser.add_argument(
        '--net-set', action='append', default=[], metavar='LABEL.KEY=VALUE',
        help='change one key of "net" of one network',
    )  # fmt: skip
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        '--steps', type=int, metavar='N', help='about so many optimizer steps each'
    )
    budget.add_argument('--epochs', type=int, metavar='N', help='so many epochs each')
    parser.add_argument('--height', type=int, help='input height (default: that of the recipe)')
    parser.add_argument('--width', type=int, help='input width (default: that of the recipe)')
    parser.add_argument('--device', choices=('auto', 'cpu', 'cuda'), default='auto')
    parser.add_argument('--threads', type=int, default=0, help='CPU threads (default: all)')
    parser.add_argument(
        '--repeats', type=int, default=100, metavar='N', help='rounds that are timed (100)'
    )
    parser.add_argument(
        '--warmup', type=int, default=10, metavar='N', help='rounds before these (10)'
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import torch
    from rich.console import Console

    from lane_seg_train.comparison.chart import write_chart
    from lane_seg_train.comparison.compare import Entry, compare, entry_of_run
    from lane_seg_train.comparison.measuring import Stopwatch
    from lane_seg_train.comparison.results import rich_table, write_tables
    from lane_seg_train.comparison.training import check_kept, train_all
    from lane_seg_train.config_file import load_config, with_overrides
    from lane_seg_train.trainer.fit import Hardware

    console = Console()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    _check(args)
    device = _device(args.device)
    settings = [*args.set, *_settings(args)]
    recipe = load_config(args.recipe)
    contenders, budget = _contenders(args, recipe, settings)
    recipe = with_overrides(recipe, settings)
    output = args.output or Path('runs') / f'compare_{recipe.name}'
    taken = [contender.label for contender in contenders]
    loaded: list[Entry] = []
    for path in args.runs:
        loaded.append(entry_of_run(path, [*taken, *(entry.label for entry in loaded)]))
    check_kept(contenders, output)
    words = {}
    if budget is not None:
        words = {'trained on': ', '.join(data.name for data in recipe.train)}
        words['budget of each'] = _budget_words(budget, recipe)
        say(f'{len(contenders)} networks, each: {words["budget of each"]}')
    accelerator = {'cpu': 'cpu', 'cuda': 'gpu'}[device]
    hardware = Hardware(threads=args.threads, accelerator=accelerator)
    trained = train_all(contenders, args.data, output, hardware=hardware, say=say)
    if args.threads:
        torch.set_num_threads(args.threads)
    entries = [
        *(Entry(one.label, one.checkpoint, one.seconds, one.error) for one in trained),
        *loaded,
    ]
    watch = Stopwatch(device, args.repeats, args.warmup)
    comparison = compare(entries, recipe, args.data, watch, settings=words, say=say)
    paths = [*write_tables(comparison, output), write_chart(comparison, output)]
    # As wide as it needs: a table that is cut in a pipe is of no use.
    Console(width=max(160, console.width)).print(rich_table(comparison))
    failed = [row for row in comparison.rows if row.error]
    for row in failed:
        say(f'{row.label} failed: {row.error}')
    for path in paths:
        say(str(path))
    return 1 if failed else 0


def _check(args: argparse.Namespace) -> None:
    if not args.nets and not args.runs:
        raise LaneSegError(
            'expected networks to compare, found none; name some with --nets (trained here) or '
            '--runs (trained already)'
        )
    if args.repeats < 1 or args.warmup < 0 or args.threads < 0:
        raise LaneSegError(
            'expected --repeats of at least 1, --warmup and --threads of at least 0, found '
            f'{args.repeats}, {args.warmup} and {args.threads}'
        )


def _device(asked: str) -> str:
    import torch

    if asked == 'auto':
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    if asked == 'cuda' and not torch.cuda.is_available():
        raise LaneSegError(
            '--device cuda: expected a GPU that PyTorch can use, found none; nothing was measured'
        )
    return asked


def _settings(args: argparse.Namespace) -> list[str]:
    """What has an option of its own, as --set."""
    named = {'epochs': args.epochs, 'height': args.height, 'width': args.width}
    return [f'{key}={value}' for key, value in named.items() if value is not None]


def _contenders(
    args: argparse.Namespace, recipe: TrainConfig, settings: Sequence[str]
) -> tuple[list[Contender], Budget | None]:
    """The runs of the networks to train, and what each of them is given."""
    import dataclasses

    from lane_seg_train.comparison.contenders import budget_of, contenders, with_steps
    from lane_seg_train.datasets import open_data
    from lane_seg_train.nets import NETS

    made = contenders(
        recipe, args.nets, settings=settings, net_settings=args.net_set, known=list(NETS)
    )
    if not made:
        return [], None
    first = made[0].config
    size = (first.height, first.width)
    counts = [len(data) for data in open_data(first.train, first.classes, size, args.data)]
    if args.steps is not None:
        made = [
            dataclasses.replace(one, config=with_steps(one.config, counts, args.steps))
            for one in made
        ]
    return made, budget_of(made[0].config, counts)


def _budget_words(budget: Budget, recipe: TrainConfig) -> str:
    return (
        f'{budget.steps} steps of {budget.batch_size * recipe.accumulate} images = '
        f'{budget.images} images in {budget.epochs} epochs, seed {recipe.seed}, '
        f'{recipe.optimizer.name}, loss {recipe.loss.name}'
    )
