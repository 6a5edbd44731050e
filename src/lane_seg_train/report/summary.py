"""The top of a report: how far the run is, how good, made of what, on what machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lane_seg.report.page import big_number, facts
from lane_seg_train.report.machine import read_sessions, this_session
from lane_seg_train.report.run_record import MIOU

if TYPE_CHECKING:
    from pathlib import Path

    from lane_seg_train.report.machine import Session
    from lane_seg_train.report.run_record import RunRecord

__all__ = ['progress', 'summary']


def progress(record: RunRecord) -> str:
    """How far the run is, in one line."""
    done = max([0.0, *_finite(record, 'epoch')])
    planned = record.config.get('epochs')
    if not isinstance(planned, int):
        return f'{done:g} epochs'
    if done >= planned:
        return f'finished: {planned} epochs'
    return f'{done:g} of {planned} epochs: still going, stopped early, or interrupted'


def summary(record: RunRecord) -> str:
    """What matters most about a run: HTML of big numbers and of facts."""
    numbers = []
    if record.best is not None:
        row = {name: values[record.best] for name, values in record.validations.columns.items()}
        where = f'step {row["step"]:.0f}, epoch {row.get("epoch", float("nan")):g}'
        numbers.append(
            big_number(f'{row[record.monitor]:.4f}', f'best IoU, {record.monitor} ({where})')
        )
    seconds = sum(_finite(record, 'seconds'))
    if seconds:
        numbers.append(big_number(_duration(seconds), 'of training steps'))
    rates = _finite(record, 'images_per_s')
    if rates:
        numbers.append(big_number(f'{np.median(rates):.1f}', 'images/s, median'))
    parameters = _parameters(record.folder / 'checkpoint.pt')
    if parameters:
        numbers.append(big_number(_millions(parameters), 'parameters'))
    return f'<div class="numbers">{"".join(numbers)}</div>\n' + facts(
        {**_means(record), **_what(record), **_where(read_sessions(record.folder))}
    )


def _means(record: RunRecord) -> dict[str, str]:
    """Mean IoU of each validation set at the best validation."""
    names = [name for name in record.ious if name.endswith(f'/{MIOU}')]
    if record.best is None or not names:
        return {}
    values = [(name, record.validations[name][record.best]) for name in names]
    shown = [f'{name.partition("/")[0]} {value:.4f}' for name, value in values]
    return {'mean IoU there': ', '.join(shown)}


def _what(record: RunRecord) -> dict[str, str]:
    """Data, network and method in words."""
    config = record.config
    method = {
        'loss': _words(config.get('loss')),
        'optimizer': _words(config.get('optimizer')),
        'schedule': _words(config.get('schedule')),
    }
    size = f'{config["height"]}x{config["width"]}' if {'height', 'width'} <= set(config) else ''
    details = [
        f'{name.replace("_", " ")} {config[name]}'
        for name in ('batch_size', 'accumulate', 'precision', 'seed')
        if name in config
    ]
    classes = config.get('classes')
    return {
        'network': _words(config.get('net')),
        'input': f'{size} (height x width)' if size else '',
        'classes': ', '.join(map(str, classes)) if isinstance(classes, list) else '',
        'trained on': _data_names(config.get('train')),
        'validated on': _data_names(config.get('val')),
        **method,
        'run': ', '.join(details),
    }


def _where(sessions: list[Session]) -> dict[str, str]:
    """Machine, versions and time; those of this report if the run did not write them down."""
    session = sessions[-1] if sessions else this_session()
    versions = ', '.join(f'{name} {version}' for name, version in session.versions.items())
    machine = f'{session.device}; {session.cpu}, {session.cores} cores; {session.system}'
    if not sessions:
        return {'this page was made': session.time, 'made on': machine, 'with': versions}
    resumed = [f'{one.time} (after step {one.step})' for one in sessions[1:]]
    return {
        'started': sessions[0].time,
        'resumed': ', '.join(resumed),
        'machine': machine,
        'versions': versions,
    }


def _words(settings: object) -> str:
    """A part of the configuration in one line: its name, then what is set in it."""
    if not isinstance(settings, Mapping):
        return ''
    rest = [
        f'{key.replace("_", " ")} {_plain(value)}'
        for key, value in settings.items()
        if key != 'name' and value not in ('', [], {}, None)
    ]
    return ', '.join([str(settings.get('name', '')), *rest]).removeprefix(', ')


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ', '.join(f'{key} {inner}' for key, inner in value.items())
    return ' '.join(map(str, value)) if isinstance(value, list) else str(value)


def _data_names(sets: object) -> str:
    if not isinstance(sets, list):
        return ''
    return ', '.join(str(one.get('name', '')) for one in sets if isinstance(one, Mapping))


def _parameters(checkpoint: Path) -> int | None:
    """Number of learned weights in a checkpoint; None if there is none."""
    import torch

    try:
        state = torch.load(checkpoint, map_location='cpu', weights_only=True, mmap=True)
        weights = state['state_dict']
    except Exception:  # whatever is wrong with it, the report is about the rest
        return None
    aside = ('running_mean', 'running_var', 'num_batches_tracked', 'scale')
    return sum(int(value.numel()) for name, value in weights.items()
               if name.rpartition('.')[2] not in aside)  # fmt: skip


def _finite(record: RunRecord, name: str) -> list[float]:
    values = record.validations[name]
    return [float(value) for value in values[np.isfinite(values)]]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f'{hours} h {minutes:02} min'
    return f'{minutes} min {rest:02} s' if minutes else f'{seconds:.1f} s'


def _millions(count: int) -> str:
    return f'{count / 1e6:.2f} M' if count >= 1e5 else f'{count:,}'.replace(',', ' ')
