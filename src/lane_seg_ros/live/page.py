"""report.html of a measurement: one file that can be mailed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from lane_seg.report.page import big_number, data_uri, facts, page, picture, section, table
from lane_seg.report.theme import DARK, LIGHT
from lane_seg_ros.live.charts import NO_CHARTS, can_draw_charts, charts_as
from lane_seg_ros.live.measurement import Measurement
from lane_seg_ros.live.score import LABEL_IDS
from lane_seg_ros.live.tables import confusion_rows, rows_of

__all__ = ['report_page']

_JPEG_QUALITY = 85


def report_page(
    title: str,
    lead: str,
    measurement: Measurement,
    *,
    pictures: Mapping[str, NDArray[np.uint8]],
    conditions: Mapping[str, str],
    remarks: Sequence[str] = (),
    scenes: Mapping[str, Measurement] | None = None,
) -> str:
    """Return the page.

    Args:
        title: plain text.
        lead: plain text below the title.
        measurement: of the whole run.
        pictures: {heading: (H, W, 3) uint8 BGR}.
        conditions: {name: text}, plain.
        remarks: sentences that a reader must know, plain text.
        scenes: {name: measurement} where the run has several parts.
    """
    scenes = scenes or {}
    begins: dict[float, str] = {}
    begin_s = 0.0
    for name, part in scenes.items():
        begins[begin_s] = name
        begin_s += part.seconds
    parts = [
        section('', _numbers(measurement) + facts(rows_of(measurement)) + _remarks(remarks)),
        section('Over time', _charts(measurement, begins)),
    ]
    if len(scenes) > 1:
        parts.append(section('Scenes', _scenes(scenes)))
    if measurement.scored:
        parts.append(section('Where the pixels went', _confusion(measurement)))
    if pictures:
        content = '\n'.join(
            f'<h3>{escape(heading)}</h3>\n{_picture(image, heading)}'
            for heading, image in pictures.items()
        )
        parts.append(section('Frames', content))
    parts.append(section('Conditions', facts(conditions)))
    return page(title, lead, parts)


def _numbers(measurement: Measurement) -> str:
    numbers = [
        big_number(_number(iou), f'IoU of {name.replace("_", " ")}')
        for name, iou in measurement.ious.items()
    ]
    latency = measurement.latency_ms
    numbers += [
        big_number(f'{measurement.mask_rate_hz:.1f}', 'masks per second'),
        big_number(_number(latency.median_ms, '.1f'), 'ms latency, median'),
        big_number(_number(latency.p99_ms, '.1f'), 'ms latency, 99th percentile'),
        big_number(str(measurement.losses.lost), f'of {measurement.losses.camera} frames lost'),
    ]
    return f'<div class="numbers">{"".join(numbers)}</div>\n'


def _remarks(remarks: Sequence[str]) -> str:
    return ''.join(f'\n<p class="faint">{escape(text)}</p>' for text in remarks)


def _charts(measurement: Measurement, begins: dict[float, str]) -> str:
    if not can_draw_charts():
        return f'<p class="faint">{escape(NO_CHARTS)}</p>'
    light, dark = (
        data_uri(charts_as('svg', measurement, theme, scenes=begins), 'image/svg+xml')
        for theme in (LIGHT, DARK)
    )
    return picture(light, 'IoU, latency, losses and age of the masks', dark=dark)


def _scenes(scenes: Mapping[str, Measurement]) -> str:
    classes = [name for name in LABEL_IDS if name != 'background']
    names = ['scene', *classes, 'frames', 'lost', 'masks/s', 'p50 ms', 'p99 ms', 'sim. time']
    rows, bars = [], []
    for name, part in scenes.items():
        ious = [part.ious.get(one, math.nan) for one in classes]
        latency = part.latency_ms
        cells = [name, *(_number(iou) for iou in ious)]
        cells += [str(part.losses.camera), str(part.losses.lost), f'{part.mask_rate_hz:.1f}']
        cells += [_number(value, '.1f') for value in (latency.median_ms, latency.p99_ms)]
        cells.append(_number(part.real_time_factor, '.2f'))
        rows.append(cells)
        shares = [iou if math.isfinite(iou) else None for iou in ious]
        bars.append([None, *shares, *[None] * 6])
    groups = [('', 1), ('IoU', len(classes)), ('frames', 3), ('latency', 2), ('', 1)]
    heads = [one.replace('_', ' ') for one in names]
    return table(groups, heads, rows, bars=bars, best=None)


def _confusion(measurement: Measurement) -> str:
    names = [name.replace('_', ' ') for name in LABEL_IDS]
    rows, bars = [], []
    for name, shares in confusion_rows(measurement):
        rows.append([name.replace('_', ' '), *(_number(share, '.1%') for share in shares)])
        bars.append([None, *(share if math.isfinite(share) else None for share in shares)])
    groups = [('label', 1), ('mask', len(names))]
    return table(groups, ['', *names], rows, bars=bars, best=None)


def _picture(image: NDArray[np.uint8], alt: str) -> str:
    content = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return picture(data_uri(content.tobytes(), 'image/jpeg'), alt)


def _number(value: float, form: str = '.3f') -> str:
    return format(value, form) if math.isfinite(value) else '-'
