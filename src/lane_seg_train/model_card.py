"""The model card README.md of a bundle: what the model is, knows, does not know, and came from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lane_seg_train.checkpoint import Checkpoint
    from lane_seg_train.config import NetConfig, TrainConfig

__all__ = ['model_card']


def _settings(net: NetConfig) -> str:
    """What of the network is not as by default: ' (width 32, multipliers [1, 2])'."""
    changed = [
        f'{field.name} {list(value) if isinstance(value, tuple) else value}'
        for field in dataclasses.fields(net)
        if field.name != 'name' and (value := getattr(net, field.name)) != field.default
    ]
    return f' ({", ".join(changed)})' if changed else ''


def model_card(
    spec: Mapping[str, Any], config: TrainConfig, checkpoint: Checkpoint, onnx_bytes: int
) -> str:
    """Write the card from facts only.

    Args:
        spec: content of model.yaml, metrics included.
        config: the recipe.
        checkpoint: the network.
        onnx_bytes: size of model.onnx.

    Returns:
        Markdown text.
    """
    parameters = sum(parameter.numel() for parameter in checkpoint.net.parameters())
    net = config.net
    quantization = spec['quantization']
    lines = [
        f'# {spec["name"]} {spec["version"]}',
        '',
        'Lane segmentation for a forward-looking camera: '
        + ', '.join(f'{index} {name}' for index, name in enumerate(checkpoint.classes))
        + '.',
        '',
        f'- Network: {net.name}{_settings(net)}, {parameters / 1e6:.2f} M parameters.',
        f'- Input: uint8 BGR (1, {checkpoint.height}, {checkpoint.width}, 3), '
        f'camera images laid in by "{spec["input"]["fit"]}"; normalization is inside the graph.',
        f'- Output: uint8 class ids (1, {checkpoint.height}, {checkpoint.width})'
        + ('; `confidence`, the same shape: 255 for certain.' if spec['confidence'] else '.'),
        f'- File: model.onnx, opset 17, {spec["precision"]}, {onnx_bytes / 1e6:.2f} MB.',
    ]
    if quantization:
        calibration = quantization['calibration']
        lines.append(
            f'- Quantization: {quantization["method"]}; {calibration["images"]} calibration '
            f'images from the training sets, sha256 {calibration["sha256"][:16]}....'
        )
    metrics = spec['metrics']
    lines += [
        '',
        '## Measured',
        '',
        f'By `lane-seg evaluate` on the exported file, engine {metrics["engine"]}, over all '
        'pixels of the validation images at their own size. The best epoch was chosen by '
        f'{config.monitor}, so that figure is slightly flattered.',
        '',
        '| validation set | classes compared | IoU | images |',
        '| --- | --- | --- | --- |',
    ]
    lines += [
        f'| {row["data"]} | {row["classes"]} | {row["iou"]:.3f} | {row["images"]} |'
        for row in metrics['iou']
    ]
    lines += [
        '',
        'A set such as "road+lane_marking" means that the data marks both as one, and is compared '
        'with both predictions together.',
    ]
    if config.weak_points:
        lines += ['', '## Known weak points', '', *(f'- {point}' for point in config.weak_points)]
    lines += [
        '',
        '## Training data and its licences',
        '',
        'The weights were learned from these images; whoever uses the model has to look at their '
        'terms.',
        '',
        '| data set | source | licence of the images |',
        '| --- | --- | --- |',
    ]
    lines += [
        f'| {row["data"]} | {row["source"]} | {row["licence"]} |' for row in spec['training']
    ]
    lines += [
        '',
        '`recipe.yaml` beside this card holds every setting of the run. Versions: '
        + ', '.join(f'{name} {version}' for name, version in spec['tools'].items())
        + '.',
        '',
    ]
    return '\n'.join(lines)
