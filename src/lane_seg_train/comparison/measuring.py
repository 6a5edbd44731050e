"""What is measured of each network: accuracy, size, and the time of a frame."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from lane_seg.timing import summarize
from lane_seg_train.losses import allowed_from_targets, build_loss, defined_from_sets
from lane_seg_train.metrics import SetConfusion
from lane_seg_train.nets.normalization import normalized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from lane_seg.timing import TimingSummary
    from lane_seg_train.config import LossConfig
    from lane_seg_train.datasets import LaneData

__all__ = ['Accuracy', 'Stopwatch', 'device_name', 'time_nets', 'validate']

LEAST_ROUNDS = 5


@dataclass(frozen=True)
class Accuracy:
    """How good a network is on the validation sets.

    Attributes:
        loss: mean over the sets of the mean loss.
        miou: mean over the sets of their mean IoU, 0..1.
        by_set: {set: {'loss', 'miou' or name of a label set: value}}.
    """

    loss: float
    miou: float
    by_set: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Stopwatch:
    """How time is taken.

    Attributes:
        device: 'cpu', 'cuda' or 'cuda:1'.
        repeats: rounds that count, one frame of each network in each.
        warmup: rounds before.
        limit_s: stop after so long, but not before LEAST_ROUNDS rounds.
    """

    device: str
    repeats: int = 100
    warmup: int = 10
    limit_s: float = 300.0


@torch.inference_mode()
def validate(
    net: nn.Module,
    sets: Sequence[LaneData],
    loss: LossConfig,
    *,
    batch_size: int,
    device: str,
) -> Accuracy:
    """Measure loss and IoU on whole validation sets.

    Args:
        net: (N, 3, H, W) normalized float32 to (N, C, H, W) logits; is set to eval mode.
        sets: labelled images at the size that the network takes.
        loss: the same for all networks, whatever they were trained with.
        batch_size: images at a time.
        device: where to compute.
    """
    net = net.to(device).eval()
    by_set = {}
    for data in sets:
        confusion = SetConfusion(data.table).to(device)
        criterion = build_loss(loss, data.table.classes).to(device)
        admissible = torch.from_numpy(data.table.sets).to(device)[None]
        total = 0.0
        for first in range(0, len(data.examples), batch_size):
            images, targets = zip(*data.examples[first : first + batch_size], strict=True)
            image = torch.stack([torch.from_numpy(one) for one in images]).permute(0, 3, 1, 2)
            target = torch.stack([torch.from_numpy(one) for one in targets]).to(device)
            count = len(target)
            table = admissible.expand(count, -1, -1)
            logits = net(_prepared(image.to(device)))
            value, _ = criterion(
                logits, allowed_from_targets(target, table), defined_from_sets(table)
            )
            confusion.update(target, logits.argmax(dim=1).to(torch.uint8))
            total += float(value) * count
        values = {'loss': total / len(data.examples), 'miou': float(confusion.miou())}
        values |= {name: float(iou) for name, iou in confusion.iou().items()}
        by_set[data.name] = values
    return Accuracy(
        loss=sum(values['loss'] for values in by_set.values()) / len(by_set),
        miou=sum(values['miou'] for values in by_set.values()) / len(by_set),
        by_set=by_set,
    )


@torch.inference_mode()
def time_nets(
    nets: Mapping[str, nn.Module], sizes: Mapping[str, tuple[int, int]], watch: Stopwatch
) -> dict[str, TimingSummary]:
    """Time one frame of each network in turn, in another order every round.

    A frame is what a camera asks for: a uint8 image that lies on the device to the class of each
    pixel, at batch 1 in eval mode. Whatever else the machine does meanwhile, it does to all of
    them alike. A GPU is waited for before and after: what it was only asked to do took no time.

    Args:
        nets: {label: network}; all of them are moved to the device.
        sizes: {label: (height, width)}.
        watch: how.

    Returns:
        {label: summary in milliseconds}.
    """
    device = torch.device(watch.device)
    frames = {}
    for label, net in nets.items():
        net.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        height, width = sizes[label]
        frames[label] = torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8).to(device)
    times: dict[str, list[float]] = {label: [] for label in nets}
    labels = list(nets)
    start_s = time.monotonic()
    for number in range(-watch.warmup, watch.repeats):
        turn = number % len(labels)
        for label in labels[turn:] + labels[:turn]:
            _wait(device)
            before = time.perf_counter()
            nets[label](_prepared(frames[label])).argmax(dim=1)
            _wait(device)
            if number >= 0:
                times[label].append((time.perf_counter() - before) * 1e3)
        if number + 1 >= LEAST_ROUNDS and time.monotonic() - start_s > watch.limit_s:
            break
    return {label: summarize(values) for label, values in times.items()}


def device_name(device: str) -> str:
    """What computes: the name of the GPU, or of the CPU with its number of threads."""
    if torch.device(device).type == 'cuda':
        return torch.cuda.get_device_name(torch.device(device))
    from lane_seg.machine import machine_info

    threads = torch.get_num_threads()
    return f'{machine_info().cpu}, {threads} thread{"s" if threads > 1 else ""}'


def _prepared(image: torch.Tensor) -> torch.Tensor:
    return normalized(image).contiguous(memory_format=torch.channels_last)


def _wait(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
