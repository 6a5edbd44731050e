"""Preprocess, postprocess and overlay on one core, against the way one writes them at first.

Run it as: python benchmarks/pre_post.py [--json]
The aim: the three together below 2 ms at 1280x720.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from harness import Row, add_common_arguments, interleaved, report
from numpy.typing import NDArray

from lane_seg.bundle import ClassInfo
from lane_seg.machine import machine_info
from lane_seg.overlay import Painter
from lane_seg.postprocess import mask_from_output
from lane_seg.preprocess import tensor_from_image
from lane_seg.timing import TimingSummary
from lane_seg_scene import RoadScene

SIZES = ((360, 640), (720, 1280), (1080, 1920))
AIM_HW, AIM_MS = (720, 1280), 2.0
CLASSES = (
    ClassInfo(0, 'background', (0, 0, 0)),
    ClassInfo(1, 'road', (60, 170, 0)),
    ClassInfo(2, 'lane_marking', (30, 60, 255)),
)
MEAN = np.array([103.53, 116.28, 123.675], np.float32)
DEVIATION = np.array([57.375, 57.12, 58.395], np.float32)
ALPHA = 0.5
OURS, NAIVE = 'lane_seg', 'naive'


@dataclass(frozen=True)
class Case:
    """An image, its mask at the model's size, and its mask at its own size."""

    image: NDArray[np.uint8]
    output: NDArray[np.uint8]
    mask: NDArray[np.uint8]

    @property
    def image_hw(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.mask.shape[0], self.mask.shape[1]

    @property
    def tensor_hw(self) -> tuple[int, int]:
        """(height, width) of the model's input."""
        return self.output.shape[0], self.output.shape[1]


def naive_tensor(case: Case) -> NDArray[np.float32]:
    """Scale, normalise and transpose in numpy: (1, 3, height, width) float32."""
    height, width = case.tensor_hw
    scaled = cv2.resize(case.image, (width, height)).astype(np.float32)
    return np.ascontiguousarray(((scaled - MEAN) / DEVIATION).transpose(2, 0, 1)[None])


def naive_mask(case: Case) -> NDArray[np.uint8]:
    """Nearest neighbours by numpy indices."""
    (height, width), (small_height, small_width) = case.image_hw, case.tensor_hw
    rows = np.arange(height) * small_height // height
    columns = np.arange(width) * small_width // width
    return case.output[rows[:, None], columns]


def naive_overlay(case: Case) -> NDArray[np.uint8]:
    """Colours by numpy index, blended everywhere, kept where there is a class."""
    palette = np.array([info.colour_bgr for info in CLASSES], np.uint8)
    colour = palette[case.mask]
    blend = cv2.addWeighted(case.image, 1 - ALPHA, colour, ALPHA, 0)
    return np.where(case.mask[..., None] > 0, blend, case.image)


def stages_of(case: Case) -> dict[str, dict[str, Callable[[], object]]]:
    """{stage: {contender: function}}; ours keeps its buffers, as LanePipeline does."""
    tensor = np.empty((*case.tensor_hw, 3), np.uint8)
    mask = np.empty(case.image_hw, np.uint8)
    painter = Painter(CLASSES, alpha=ALPHA)
    return {
        'preprocess': {
            NAIVE: lambda: naive_tensor(case),
            OURS: lambda: tensor_from_image(case.image, case.tensor_hw, out=tensor),
        },
        'postprocess': {
            NAIVE: lambda: naive_mask(case),
            OURS: lambda: mask_from_output(case.output, case.image_hw, out=mask),
        },
        'overlay': {
            NAIVE: lambda: naive_overlay(case),
            OURS: lambda: painter.draw(case.image, case.mask),
        },
        'rows to draw': {
            'cv2.reduce': lambda: np.flatnonzero(cv2.reduce(case.mask, 1, cv2.REDUCE_MAX)),
            OURS: lambda: np.flatnonzero(case.mask.any(axis=1)),
        },
    }


def case_of(image_hw: tuple[int, int], tensor_hw: tuple[int, int]) -> Case:
    """The built-in road scene and its own label, as if a model had found it."""
    frame = RoadScene(0, height=image_hw[0], width=image_hw[1]).frame(0.0)
    output = cv2.resize(frame.label, tensor_hw[::-1], interpolation=cv2.INTER_NEAREST)
    small = np.asarray(output, np.uint8)
    return Case(frame.image, small, mask_from_output(small, image_hw))


def rows_of(case: Case, *, repeats: int, warmup: int) -> list[Row]:
    """Measure all stages of a size; the last rows are the sums of the three stages."""
    size = f'{case.image_hw[1]}x{case.image_hw[0]}'
    rows = []
    summed: dict[str, Callable[[], object]] = {}
    stages = stages_of(case)
    for stage, contenders in stages.items():
        rows += _rows(f'{stage} {size}', interleaved(contenders, repeats=repeats, warmup=warmup))
    for name in (NAIVE, OURS):
        parts = [stages[stage][name] for stage in ('preprocess', 'postprocess', 'overlay')]
        summed[name] = lambda parts=parts: [part() for part in parts]  # type: ignore[misc]
    rows += _rows(f'all three {size}', interleaved(summed, repeats=repeats, warmup=warmup))
    return rows


def _rows(case: str, timings: dict[str, TimingSummary]) -> list[Row]:
    reference = next(iter(timings))
    base = timings[reference].median_ms
    return [
        Row(case, name, base / timing.median_ms, reference, timing)
        for name, timing in timings.items()
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--model-size', default='512x256', metavar='WxH', help='(default: 512x256)'
    )
    add_common_arguments(parser, repeats=300, warmup=30)
    args = parser.parse_args()
    width, height = (int(part) for part in args.model_size.split('x'))
    cv2.setNumThreads(1)
    machine = machine_info()
    rows: list[Row] = []
    for image_hw in SIZES:
        case = case_of(image_hw, (height, width))
        rows += rows_of(case, repeats=args.repeats, warmup=args.warmup)
    settings = {
        'model input': args.model_size, 'OpenCV threads': 1, 'rounds': args.repeats,
        'warm-up rounds': args.warmup,
    }  # fmt: skip
    report('pre_post', rows, machine, settings=settings, json_path=args.json)
    aim = f'all three {AIM_HW[1]}x{AIM_HW[0]}'
    found = next(row for row in rows if (row.case, row.contender) == (aim, OURS))
    print(f'{aim}: {found.timing.median_ms:.2f} ms, aim below {AIM_MS:g} ms')
    return 0


if __name__ == '__main__':
    sys.exit(main())
