"""`lane-seg export`: from a checkpoint to a verified bundle models/<name>/."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.files import atomic_path, sha256_of, write_text
from lane_seg.fit import FITS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.config import TrainConfig

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'export', 'run']

DESCRIPTION = (
    'Export a checkpoint as a bundle: ONNX graph, model.yaml, model card.\n\n'
    'A checkpoint of `lane-seg quantize` becomes int8, one of `lane-seg train` stays in float.\n'
    'The IoU in the card is measured on the exported file itself.'
)
EPILOG = """examples:
  lane-seg export runs/mine/int8/checkpoint.pt --data ~/datasets --output models/mine
  lane-seg export runs/mine/checkpoint.pt --data ~/datasets --output models/mine_fp32
  lane-seg export runs/mine/int8/checkpoint.pt --data ~/datasets --output models/c --confidence"""

UNLABELED_ID = 255


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument('checkpoint', type=Path, help='checkpoint.pt of `lane-seg train`')
    parser.add_argument('--output', type=Path, required=True, help='folder of the new bundle')
    parser.add_argument('--data', type=Path, required=True, help='folder that holds the data sets')
    parser.add_argument(
        '--recipe',
        type=Path,
        help='recipe of the run (default: config.yaml beside the checkpoint)',
    )
    parser.add_argument('--name', help='name of the model (default: that of the run)')
    parser.add_argument('--model-version', default='1.0.0', help='version of the model')
    parser.add_argument('--fit', choices=FITS, default='stretch', help='see docs/bundle.md')
    parser.add_argument(
        '--confidence', action='store_true',
        help='a second output: how probable the chosen class is, uint8 0..255',
    )  # fmt: skip
    parser.add_argument(
        '--logits', action='store_true',
        help='a second file, logits.onnx, which gives the logits instead of the mask',
    )  # fmt: skip
    parser.add_argument('--force', action='store_true', help='replace an existing bundle')


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from rich.console import Console

    from lane_seg.bundle import ModelBundle
    from lane_seg_train.config_file import load_config

    if (args.output / 'model.yaml').exists() and not args.force:
        raise LaneSegError(
            f'{args.output} already holds a bundle; add --force to replace it, '
            'or choose another --output'
        )
    recipe = args.recipe or args.checkpoint.parent / 'config.yaml'
    export(
        args.checkpoint,
        args.output,
        config=load_config(recipe),
        recipe=recipe,
        data_root=args.data,
        name=args.name,
        version=args.model_version,
        fit=args.fit,
        confidence=args.confidence,
        logits=args.logits,
    )
    bundle = ModelBundle.load(args.output)
    size = bundle.onnx_path.stat().st_size / 1e6
    Console().print(
        f'wrote {args.output}: {bundle.name} {bundle.version}, {bundle.precision}, {size:.2f} MB, '
        f'sha256 {bundle.onnx_sha256[:12]}'
    )
    if bundle.precision == 'fp32':
        Console().print(
            f'for int8, first: lane-seg quantize {args.checkpoint} --data {args.data}',
            soft_wrap=True, highlight=False,
        )  # fmt: skip
    return 0


def export(
    checkpoint_path: Path,
    output: Path,
    *,
    config: TrainConfig,
    recipe: Path,
    data_root: Path,
    name: str | None = None,
    version: str = '1.0.0',
    fit: str = 'stretch',
    confidence: bool = False,
    logits: bool = False,
) -> None:
    """Write a bundle.

    Args:
        checkpoint_path: the trained network, quantized or not.
        output: folder of the bundle; it appears there file by file, model.yaml last.
        config: the recipe of the run: names data for evaluation and the card.
        recipe: its file, copied into the bundle.
        data_root: folder that holds the data sets.
        name: name of the model; None takes the run's.
        version: version of the model.
        fit: how the car lays camera images into the input.
        confidence: add the output 'confidence' to the graph.
        logits: write logits.onnx too.

    Raises:
        LaneSegError: the checkpoint or the data cannot be used.
    """
    import onnx

    from lane_seg.bundle import ModelBundle
    from lane_seg.engines import open_engine
    from lane_seg.pipeline import LanePipeline
    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.colours import class_colours
    from lane_seg_train.datasets import open_data
    from lane_seg_train.evaluate import evaluate
    from lane_seg_train.model_card import model_card
    from lane_seg_train.onnx_from_checkpoint import onnx_from_checkpoint

    checkpoint = Checkpoint.load(checkpoint_path)
    size = (checkpoint.height, checkpoint.width)
    graphs = {'model.onnx': onnx_from_checkpoint(checkpoint, confidence=confidence)}
    if logits:
        graphs['logits.onnx'] = onnx_from_checkpoint(checkpoint, logits=True)
    for file, model in graphs.items():
        with atomic_path(output / file) as temporary:
            onnx.save(model, temporary)
    if not logits:  # of an export before this one
        (output / 'logits.onnx').unlink(missing_ok=True)
    with atomic_path(output / 'recipe.yaml') as temporary:
        shutil.copyfile(recipe, temporary)

    spec: dict[str, object] = {
        'schema': 1,
        'name': name or checkpoint.name,
        'version': version,
        'input': {
            'height': checkpoint.height,
            'width': checkpoint.width,
            'colour_order': 'bgr',
            'fit': fit,
        },
        'classes': [
            {'id': index, 'name': label, 'colour': list(colour)}
            for index, (label, colour) in enumerate(
                zip(checkpoint.classes, class_colours(checkpoint.classes, config), strict=True)
            )
        ],
        'unlabeled_id': UNLABELED_ID,
        'precision': checkpoint.precision,
        'confidence': confidence,
        'quantization': _quantization(checkpoint),
        'training': [
            {'data': data.name, 'source': data.images, 'licence': data.licence}
            for data in config.train
        ],
        'tools': _tools(),
        'files': _hashes(output, [*graphs, 'recipe.yaml']),
    }
    write_text(output / 'model.yaml', _yaml(spec))
    bundle = ModelBundle.load(output)
    sets = open_data(config.val, checkpoint.classes, size, data_root)
    with open_engine(bundle) as engine:
        scores = evaluate(LanePipeline(bundle, engine), sets)
        spec['metrics'] = {
            'engine': f'{engine.name} {engine.version}',
            'iou': [
                {
                    'data': score.data,
                    'classes': score.classes,
                    'iou': round(score.iou, 4),
                    'images': score.images,
                }
                for score in scores
            ],
        }
    card = model_card(spec, config, checkpoint, (output / 'model.onnx').stat().st_size)
    write_text(output / 'README.md', card)
    spec['files'] = _hashes(output, [*graphs, 'README.md', 'recipe.yaml'])
    write_text(output / 'model.yaml', _yaml(spec))


def _quantization(checkpoint: Checkpoint) -> dict[str, object] | None:
    record = checkpoint.quantization
    if record is None:
        return None
    return {
        'method': record.method,
        'calibration': {'images': record.images, 'sha256': record.sha256},
    }


def _hashes(folder: Path, names: Sequence[str]) -> dict[str, object]:
    return {
        name: {'sha256': sha256_of(folder / name), 'bytes': (folder / name).stat().st_size}
        for name in names
    }


def _tools() -> dict[str, str]:
    from importlib.metadata import version

    names = ('torch', 'lightning', 'onnx', 'onnxruntime', 'numpy')
    return {name: version(name) for name in names}


def _yaml(spec: dict[str, object]) -> str:
    import yaml

    head = '# Contract of this model; written by `lane-seg export`, verified by every loader.\n'
    return head + yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)
