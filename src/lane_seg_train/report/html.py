"""report.html: all of a run on one page that can be mailed."""

from __future__ import annotations

import io
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from lane_seg.files import write_text
from lane_seg.report.page import (
    data_uri,
    page,
    picture,
    section,
    table,
)
from lane_seg.report.theme import DARK, LIGHT, drawing
from lane_seg_train.report.curves import CURVES, draw_curves
from lane_seg_train.report.run_record import CONFIG, LOSS, MIOU, read_run
from lane_seg_train.report.summary import progress, summary

if TYPE_CHECKING:
    from lane_seg.report.theme import Theme
    from lane_seg_train.report.run_record import RunRecord

__all__ = ['REPORT', 'write_report']

REPORT = 'report.html'
SNAPSHOTS = 'snapshots'
_FIRST = {LOSS: 0, MIOU: 1}
MOST_ROWS = 150  # of the table of validations
MOST_BYTES = 900_000  # of one embedded picture
FILES = {
    'config.yaml': 'configuration',
    'checkpoint.pt': 'weights of the best validation',
    'last.ckpt': 'state that --resume goes on from',
    'metrics.csv': 'one row per validation',
    'steps.csv': 'one row per optimizer step',
    CURVES: 'the curves as a picture',
    'machine.json': 'machine and versions of each start',
    SNAPSHOTS: 'predictions at each validation',
    'tensorboard': 'for `tensorboard --logdir`',
}


def write_report(run_folder: str | Path) -> Path:
    """Write report.html into the folder of a run, finished or not.

    Returns:
        Its path.

    Raises:
        LaneSegError: not the folder of a run.
    """
    folder = Path(run_folder)
    record = read_run(folder)
    parts = [
        section('', summary(record)),
        section('Curves', _curves(record)),
        *_snapshots(record),
        *_validations(record),
        *_configuration(folder),
        section('Files', _files(folder)),
    ]
    path = folder / REPORT
    write_text(path, page(record.name, progress(record), parts))
    return path


def _curves(record: RunRecord) -> str:
    return picture(
        data_uri(_svg(record, LIGHT), 'image/svg+xml'),
        'loss, learning rate and IoU over the optimizer steps',
        dark=data_uri(_svg(record, DARK), 'image/svg+xml'),
        link=CURVES if (record.folder / CURVES).is_file() else '',
    )


def _svg(record: RunRecord, theme: Theme) -> bytes:
    content = io.BytesIO()
    with drawing(theme):
        figure = draw_curves(record, theme, heading=False)
        figure.savefig(content, format='svg', metadata={'Date': None})
    return content.getvalue()


def _snapshots(record: RunRecord) -> list[str]:
    paths = {
        int(path.stem.removeprefix('step_')): path
        for path in sorted((record.folder / SNAPSHOTS).glob('step_*.jpg'))
        if path.stem.removeprefix('step_').isdigit()
    }
    if not paths:
        return []
    wanted = {max(paths): 'last'}
    if record.best is not None:
        step = round(record.validations['step'][record.best])
        nearest = min(paths, key=lambda one: abs(one - step))
        title = 'best' if nearest == step else f'nearest to the best (step {step})'
        title += ' and last' if nearest in wanted else ''
        wanted = {
            nearest: title,
            **{other: text for other, text in wanted.items() if other != nearest},
        }
    content = ''
    for step, title in wanted.items():
        content += f'<h3>{title}: step {step}</h3>\n'
        jpeg = _small_jpeg(paths[step])
        if jpeg is None:
            content += '<p class="faint">this picture cannot be read</p>\n'
            continue
        link = quote(f'{SNAPSHOTS}/{paths[step].name}')
        alt = f'image, label, prediction and errors at step {step}'
        content += picture(data_uri(jpeg, 'image/jpeg'), alt, link=link) + '\n'
    return [section('Predictions on validation images', content)]


def _small_jpeg(path: Path) -> bytes | None:
    """A picture as JPEG of at most MOST_BYTES; None if it cannot be read."""
    import cv2

    content = path.read_bytes()
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if image is None:
        return None
    while len(content) > MOST_BYTES and min(image.shape[:2]) > 1:
        shrink = max(0.5, min(0.9, (MOST_BYTES / len(content)) ** 0.5))
        size = (max(1, int(image.shape[1] * shrink)), max(1, int(image.shape[0] * shrink)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        content = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    return content


def _validations(record: RunRecord) -> list[str]:
    rows = record.validations.rows
    if not rows:
        return []
    # The columns of each data set side by side, loss and mean IoU before the classes.
    groups: dict[str, list[str]] = {}
    for name in record.validations.columns:
        groups.setdefault(name.partition('/')[0] if '/' in name else '', []).append(name)
    for columns in groups.values():
        columns.sort(key=lambda name: _FIRST.get(name.partition('/')[2], len(_FIRST)))
    names = [name for columns in groups.values() for name in columns]
    ends = {rows - 1} if record.best is None else {rows - 1, record.best}
    shown = sorted({*range(0, rows, -(-rows // MOST_ROWS)), *ends})
    cells = [[_shown(name, record.validations[name][row]) for name in names] for row in shown]
    ious = set(record.ious)
    bars = [
        [_share(record.validations[name][row]) if name in ious else None for name in names]
        for row in shown
    ]
    heads = [name.partition('/')[2] or name.replace('_', ' ') for name in names]
    best = shown.index(record.best) if record.best is not None else None
    content = table(
        [(group, len(columns)) for group, columns in groups.items()],
        heads,
        cells,
        bars=bars,
        best=best,
    )
    if len(shown) < rows:
        content += f'<p class="faint">{len(shown)} of {rows} validations; metrics.csv has all</p>'
    return [section('Validations', content)]


def _configuration(folder: Path) -> list[str]:
    path = folder / CONFIG
    if not path.is_file():
        return []
    text = path.read_text(encoding='utf-8', errors='replace')
    return [section('Configuration', f'<pre>{escape(text)}</pre>')]


def _files(folder: Path) -> str:
    lines = []
    for name, meaning in FILES.items():
        path = folder / name
        if path.exists():
            shown = f'{name}/' if path.is_dir() else name
            lines.append(
                f'<li><a href="{escape(quote(shown))}">{escape(shown)}</a> '
                f'<span class="faint">{escape(meaning)}</span></li>'
            )
    return f'<ul class="files">{"".join(lines)}</ul>'


def _shown(name: str, value: float) -> str:
    if not np.isfinite(value):
        return '–'
    if name in ('step', 'epoch', 'learning_rate'):
        return f'{value:.0f}' if name == 'step' else f'{value:.4g}'
    return f'{value:.1f}' if name in ('seconds', 'images_per_s') else f'{value:.4f}'


def _share(value: float) -> float | None:
    return float(min(1.0, max(0.0, value))) if np.isfinite(value) else None
