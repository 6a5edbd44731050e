"""`lane-seg quantize`: from a float checkpoint to an int8 one that is as good, or an error."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.config import TrainConfig
    from lane_seg_train.quantization.gate import Gate
    from lane_seg_train.quantization.ptq import Tried

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'run']

DESCRIPTION = (
    'Quantize a trained network to int8.\n\n'
    'Ranges are found on images of the training sets (post-training quantization); --qat trains\n'
    'on with rounding in place. Then float and int8 are compared on the validation sets. If int8\n'
    'loses more than --max-drop points of IoU, checkpoint.pt is not written, and a table says\n'
    'which layers do not bear int8 and which to --exclude.\n\n'
    'The output folder gets checkpoint.pt, config.yaml and quantization.json; `lane-seg export`\n'
    'makes a bundle of it.'
)
EPILOG = """examples:
  lane-seg quantize runs/mine/checkpoint.pt --data ~/datasets
  lane-seg quantize runs/mine/checkpoint.pt --data ~/datasets --qat 3
  lane-seg quantize runs/mine/checkpoint.pt --data ~/datasets --calibrator entropy --max-drop 0.2
  lane-seg quantize runs/mine/checkpoint.pt --data ~/datasets --exclude stem.0 head --sensitivity
  lane-seg quantize runs/mine/checkpoint.pt --data ~/datasets --qat 3 --resume

then:
  lane-seg export runs/mine/int8/checkpoint.pt --data ~/datasets --output models/mine
  lane-seg build-engine --model models/mine"""

CALIBRATOR_NAMES = ('auto', 'max', 'percentile', 'mse', 'entropy')
HELD_OUT = 48


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('checkpoint', type=Path, help='checkpoint.pt of `lane-seg train`')
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument(
        '--output', type=Path, help='folder of the result (default: int8/ beside the checkpoint)'
    )
    parser.add_argument(
        '--recipe', type=Path,
        help='recipe of the run (default: config.yaml beside the checkpoint)',
    )  # fmt: skip
    parser.add_argument(
        '--calibrator', choices=CALIBRATOR_NAMES, default='auto',
        help='how ranges are chosen (default: the one that changes the fewest pixels)',
    )  # fmt: skip
    parser.add_argument(
        '--percentile', type=float, default=99.99, help='of --calibrator percentile'
    )
    parser.add_argument(
        '--images', type=int, default=128, metavar='N', help='number of calibration images'
    )
    parser.add_argument(
        '--exclude', nargs='+', default=[], metavar='NAME', help='convolutions that stay float'
    )
    parser.add_argument(
        '--qat', type=int, default=0, metavar='EPOCHS', help='train so many epochs with rounding'
    )
    parser.add_argument(
        '--learning-rate', type=float, help="of --qat (default: 1 %% of the recipe's)"
    )  # fmt: skip
    parser.add_argument(
        '--max-drop', type=float, default=0.5, metavar='POINTS',
        help="points (0..100) that the recipe's monitored IoU may lose",
    )  # fmt: skip
    parser.add_argument(
        '--sensitivity', action='store_true', help='measure each layer, also if int8 is accepted'
    )
    parser.add_argument('--resume', action='store_true', help='go on with an interrupted --qat')
    parser.add_argument('--force', action='store_true', help='replace an earlier result')


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from rich.console import Console

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.config_file import load_config
    from lane_seg_train.quantization.gate import Gate, monitor_of

    output = args.output or args.checkpoint.parent / 'int8'
    _check(args, output)
    checkpoint = Checkpoint.load(args.checkpoint)
    recipe = args.recipe or args.checkpoint.parent / 'config.yaml'
    config = load_config(recipe)
    console = Console(width=max(100, Console().width))
    gate = Gate(config, args.data, monitor_of(config, args.data), args.max_drop)
    before = gate.measure(checkpoint)
    output.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(recipe, output / 'config.yaml')
    quantized, tried = _ptq(args, config, checkpoint, output, console)
    if args.qat:
        quantized = _qat(args, config, output)
    after = gate.measure(quantized)
    console.print(gate.table(before, after))
    accepted = gate.drop(before, after) <= args.max_drop
    if args.sensitivity or not accepted:
        gate.explain(quantized, output, console, propose=not accepted)
    if not accepted:
        raise LaneSegError(_refusal(args, gate, gate.drop(before, after)))
    quantized.save(output / 'checkpoint.pt')
    gate.write_json(output / 'quantization.json', quantized, tried, before, after)
    console.print(
        f'wrote {output / "checkpoint.pt"}: {quantized.quantization.method}; next: lane-seg '  # type: ignore[union-attr]
        f'export {output / "checkpoint.pt"} --data {args.data} --output models/{config.name}',
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    return 0


def _check(args: argparse.Namespace, output: Path) -> None:
    if args.qat < 0:
        raise LaneSegError(f'--qat: expected 0 epochs or more, found {args.qat}')
    if args.max_drop < 0:
        raise LaneSegError(f'--max-drop: expected 0 points or more, found {args.max_drop:g}')
    for option, value in (('--learning-rate', args.learning_rate), ('--resume', args.resume)):
        if value and not args.qat:
            raise LaneSegError(f'{option}: expected --qat EPOCHS with it, found none')
    if (output / 'checkpoint.pt').exists() and not args.force:
        raise LaneSegError(
            f'{output} already holds a quantized checkpoint; add --force to replace it, or choose '
            'another --output'
        )


def _ptq(
    args: argparse.Namespace,
    config: TrainConfig,
    checkpoint: Checkpoint,
    output: Path,
    console: Console,
) -> tuple[Checkpoint, list[Tried]]:
    """Quantize, show what each calibrator gave, and leave ptq.pt for --qat."""
    from copy import deepcopy
    from dataclasses import replace

    from rich.progress import Progress

    from lane_seg_train.quantization.calibration import calibration_images
    from lane_seg_train.quantization.ptq import post_training

    images = calibration_images(config, args.data, args.images)
    held_out = calibration_images(config, args.data, HELD_OUT, offset=0.5)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task('finding ranges', total=2 * len(images))
        # The float network stays as it is, for comparisons.
        quantized, tried = post_training(
            replace(checkpoint, net=deepcopy(checkpoint.net)),
            images,
            held_out,
            args.calibrator,
            percentile=args.percentile,
            exclude=args.exclude,
            on_image=lambda count: progress.advance(task, count),
        )
    for one in tried:
        console.print(
            f'calibrator {one.calibrator}: {one.agreement:.3%} of pixels as in float, on '
            f'{len(held_out)} other training images',
            highlight=False,
        )
    quantized.save(output / 'ptq.pt')
    return quantized, tried


def _qat(args: argparse.Namespace, config: TrainConfig, output: Path) -> Checkpoint:
    """Train on from ptq.pt; the best epoch counts, that of ptq.pt included."""
    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.quantization.qat import QatSettings, qat

    settings = QatSettings(args.qat, args.learning_rate, images=args.images)
    best = qat(output / 'ptq.pt', config, args.data, output / 'qat', settings, resume=args.resume)
    return Checkpoint.load(best)


def _refusal(args: argparse.Namespace, gate: Gate, drop: float) -> str:
    advice = ['exclude the layers named above with --exclude']
    if not args.qat:
        advice.insert(0, 'train with rounding: --qat 3')
    return (
        f'expected int8 to lose at most {args.max_drop:g} points of {gate.monitor}, found '
        f'{drop:.2f}; {", or ".join(advice)}, or accept more with --max-drop'
    )
