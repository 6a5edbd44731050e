"""`lane-seg add-confidence`: of a bundle that does not tell how sure it is, one that does."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lane_seg.errors import BundleError

if TYPE_CHECKING:
    import argparse

    from lane_seg.bundle import ModelBundle

__all__ = ['DESCRIPTION', 'EPILOG', 'add_arguments', 'bundle_with_confidence', 'run']

DESCRIPTION = (
    'Write a bundle that gives a second output, `confidence`, of one that does not: how probable\n'
    'the class in the mask is, uint8, 255 for certain. Masks stay the same to the bit, so what\n'
    'was measured of the model stays true. Needs neither the checkpoint nor PyTorch.'
)
EPILOG = """examples:
  lane-seg add-confidence --output models/default_confidence
  lane-seg add-confidence --model models/mine --output models/mine_confidence

A TensorRT plan belongs to one graph: build the new bundle's with `lane-seg build-engine`."""

_NOTE = (
    '`lane-seg add-confidence` gave the graph its second output: `confidence`, uint8 of the '
    "mask's shape, 255 for certain."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        '--model', default='default', metavar='DIR', help='bundle (default: the shipped one)'
    )
    parser.add_argument(
        '--output', type=Path, required=True, metavar='DIR', help='folder of the new bundle'
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from rich.console import Console

    from lane_seg.bundle import ModelBundle

    bundle_with_confidence(ModelBundle.load(args.model), args.output)
    made = ModelBundle.load(args.output)
    Console().print(
        f'wrote {args.output}: {made.name} {made.version} with confidence, '
        f'sha256 {made.onnx_sha256[:12]}',
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    return 0


def bundle_with_confidence(bundle: ModelBundle, output: Path) -> None:
    """Write the bundle with the output `confidence` added to its graph.

    Args:
        bundle: one whose graph has none.
        output: folder of the new bundle; it appears there file by file, model.yaml last. Plans of
            the old graph are left behind.

    Raises:
        LaneSegError: the bundle gives confidence already, its graph is not one of
            `lane-seg export`, or `output` holds a bundle.
    """
    import onnx
    import yaml

    from lane_seg.confidence import add_confidence
    from lane_seg.files import atomic_path, sha256_of, write_text
    from lane_seg_engine.prepare import load_graph

    if bundle.confidence:
        raise BundleError(
            f'{bundle.directory}: expected a bundle without confidence, found that it gives it '
            'already; use it as it is'
        )
    if (output / 'model.yaml').exists():
        raise BundleError(f'{output} already holds a bundle; choose another --output')
    model = load_graph(bundle)
    add_confidence(model, len(bundle.classes))
    spec = yaml.safe_load((bundle.directory / 'model.yaml').read_text(encoding='utf-8'))
    names = [name for name in spec['files'] if (bundle.directory / name).is_file()]
    for name in names:
        with atomic_path(output / name) as temporary:
            if name == bundle.onnx_path.name:
                onnx.save(model, temporary)
            else:
                shutil.copyfile(bundle.directory / name, temporary)
    card = output / 'README.md'
    if 'README.md' in names:
        write_text(card, f'{card.read_text(encoding="utf-8").rstrip()}\n\n{_NOTE}\n')
    spec['confidence'] = True
    spec['files'] = {
        name: {'sha256': sha256_of(output / name), 'bytes': (output / name).stat().st_size}
        for name in names
    }
    head = '# Contract of this model; written by `lane-seg add-confidence`, verified by loaders.\n'
    text = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)
    write_text(output / 'model.yaml', head + text)
