"""Numbers of data sets as tables on a terminal, as JSON, and as CSV with a row for each image."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
from rich.markup import escape

from lane_seg.files import write_text
from lane_seg_train.data_tools.meanings import meaning, members
from lane_seg_train.data_tools.stats import class_weights, meanings_of
from lane_seg_train.data_tools.tables import plain_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from lane_seg_train.data_tools.stats import SetStats

__all__ = ['plain_stats', 'print_stats', 'weights_setting', 'write_csv']


def print_stats(stats: Sequence[SetStats], console: Console) -> None:
    """Print what the labels and what the images are like, and a suggestion for the loss."""
    console.print(_label_table(stats), '')
    console.print(_image_table(stats), '')
    if weights := class_weights(stats):
        console.print(
            'class weights by median frequency balancing (Eigen and Fergus, ICCV 2015), should '
            'rare classes need help:'
        )
        console.print(f'  {weights_setting(weights)}', markup=False, highlight=False)
    broken = [text for item in stats for text in item.broken]
    for text in broken[:3]:
        console.print(f'left out: {text}', markup=False, highlight=False, soft_wrap=True)
    if broken:
        console.print(
            f'[bold red]{len(broken)} pairs could not be read and are not counted;[/] '
            '`lane-seg data check` lists them'
        )


def weights_setting(weights: dict[str, float]) -> str:
    """The weights as a recipe has them."""
    inner = ', '.join(f'{name}: {weight:g}' for name, weight in weights.items())
    return f'loss: {{class_weights: {{{inner}}}}}'


def plain_stats(stats: Sequence[SetStats]) -> dict[str, object]:
    """The numbers as plain dicts and lists, as `json.dumps` takes them; channels are B, G, R."""
    return {
        'sets': [_plain_set(item) for item in stats],
        'class_weights': class_weights(stats),
        'class_weights_method': 'median frequency balancing, Eigen and Fergus, ICCV 2015',
    }


def write_csv(stats: Sequence[SetStats], path: Path) -> None:
    """Write one row for each image: set, name, size, brightness, share of each meaning.

    A cell is empty where the labels of a set cannot have that meaning.
    """
    meanings = list(meanings_of(stats))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    head = ['set', 'name', 'height', 'width', 'brightness', 'foreground']
    writer.writerow([*head, *meanings])
    for item in stats:
        columns = {meaning(item.table, target): target for target in item.targets}
        for image, foreground in zip(item.images, item.foreground_shares, strict=True):
            shares = image.targets / max(1, image.pixels)
            writer.writerow(
                [
                    item.chosen.key, image.name, *image.size, f'{image.mean_brightness:.2f}',
                    f'{foreground:.6f}',
                    *(f'{shares[columns[m]]:.6f}' if m in columns else '' for m in meanings),
                ]
            )  # fmt: skip
    write_text(path, text.getvalue())


def _plain_set(item: SetStats) -> dict[str, object]:
    sizes: dict[tuple[int, int], int] = {}
    for image in item.images:
        sizes[image.size] = sizes.get(image.size, 0) + 1
    return {
        'set': item.chosen.key,
        'images': len(item.images),
        'unreadable': len(item.broken),
        'labels': [
            {
                'meaning': meaning(item.table, target),
                'class_ids': members(item.table, target),
                'pixel_share': item.pixel_share(target),
                'images': item.image_count(target),
            }
            for target in item.targets
        ],
        'sizes': [
            {'height': size[0], 'width': size[1], 'images': count} for size, count in sizes.items()
        ],
        'channel_means': item.channel_means.tolist(),
        'channel_deviations': item.channel_deviations.tolist(),
        'brightness_histogram': item.brightness.tolist(),
        'median_foreground_share': _median(item.foreground_shares),
    }


def _label_table(stats: Sequence[SetStats]) -> Table:
    table = plain_table('what the labels mean', 'data set', 'classes', '>pixels', '>images')
    for item in stats:
        for number, target in enumerate(item.targets):
            count = item.image_count(target)
            share = 100 * count / len(item.images) if item.images else 0.0
            table.add_row(
                escape(item.chosen.key) if number == 0 else '',
                escape(meaning(item.table, target)),
                f'{100 * item.pixel_share(target):.2f} %',
                f'{count} ({share:.0f} %)',
            )
    return table


def _image_table(stats: Sequence[SetStats]) -> Table:
    table = plain_table(
        'what the images are like', 'data set', '>images', 'size', '>mean RGB', '>deviation',
        '>foreground',
    )  # fmt: skip
    for item in stats:
        table.add_row(
            escape(item.chosen.key),
            str(len(item.images)),
            _sizes(item),
            ' '.join(f'{level:.0f}' for level in item.channel_means[::-1]),
            ' '.join(f'{level:.0f}' for level in item.channel_deviations[::-1]),
            f'{100 * _median(item.foreground_shares):.2f} %',
        )
    table.caption = (
        'deviation: standard deviation of R, G, B; foreground: share of an image that is surely '
        'not background, median'
    )
    return table


def _sizes(item: SetStats) -> str:
    """'640x480', or the range of several sizes."""
    widths = [image.size[1] for image in item.images] or [0]
    heights = [image.size[0] for image in item.images] or [0]
    small, large = (f'{pick(widths)}x{pick(heights)}' for pick in (min, max))
    return small if small == large else f'{small} to {large}'


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0
