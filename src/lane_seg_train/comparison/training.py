"""Train the contenders one after the other; what was done is kept, who fails is noted."""

from __future__ import annotations

import gc
import json
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lane_seg.errors import LaneSegError
from lane_seg.files import write_text
from lane_seg_train.config_file import plain_config
from lane_seg_train.trainer.fit import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lane_seg_train.comparison.contenders import Contender
    from lane_seg_train.config import TrainConfig
    from lane_seg_train.trainer.fit import Hardware

__all__ = ['Trained', 'check_kept', 'train_all']

STATE = 'contender.json'
ERROR = 'error.txt'


@dataclass(frozen=True)
class Trained:
    """How training went.

    Attributes:
        label: of the contender.
        checkpoint: its checkpoint.pt; None if it failed.
        seconds: that its training took, over all starts.
        error: why it failed, in one line; '' if it did not.
    """

    label: str
    checkpoint: Path | None
    seconds: float
    error: str = ''


def check_kept(contenders: Sequence[Contender], output: Path) -> None:
    """Refuse a folder with runs of other settings before anything is trained.

    Raises:
        LaneSegError: a folder holds another run; the differing key is named.
    """
    for contender in contenders:
        folder = output / contender.label
        state = _read_state(folder)
        if state is None:
            if (folder / 'last.ckpt').exists() or (folder / 'checkpoint.pt').exists():
                raise LaneSegError(
                    f'{folder}: expected a run of an earlier `lane-seg compare-models`, found '
                    'another one; choose another --output, or compare it with --runs'
                )
            continue
        kept, wanted = state['config'], _plain(contender.config)
        if kept != wanted:
            raise LaneSegError(
                f'{folder} was trained with other settings: {_difference(kept, wanted)}; '
                'choose another --output, or delete that folder'
            )


def train_all(
    contenders: Sequence[Contender],
    data_root: Path,
    output: Path,
    *,
    hardware: Hardware,
    say: Callable[[str], None],
) -> list[Trained]:
    """Train each contender into `output`/<label>.

    A finished one is kept, an interrupted one goes on. One that fails is noted, with the whole
    traceback in its error.txt, and does not end the others.

    Args:
        contenders: who.
        data_root: folder that holds the data sets.
        output: of the comparison.
        hardware: for each of them.
        say: is called with a line before each.

    Raises:
        KeyboardInterrupt: Ctrl-C; the same command goes on.
    """
    results = []
    for number, contender in enumerate(contenders, 1):
        folder = output / contender.label
        state = _read_state(folder) or {'config': _plain(contender.config), 'seconds': 0.0}
        before_s = _seconds(state)
        where = f'{number} of {len(contenders)}: {contender.label}'
        if state.get('finished') and (folder / 'checkpoint.pt').is_file():
            say(f'{where}: kept, it is finished')
            results.append(Trained(contender.label, folder / 'checkpoint.pt', before_s))
            continue
        resume = (folder / 'last.ckpt').is_file()
        say(f'{where}: {"goes on" if resume else "training"}')
        start_s = time.monotonic()
        _write_state(folder, {**state, 'finished': False})
        checkpoint, error = None, ''
        try:
            checkpoint = train(
                contender.config, data_root, folder, resume=resume, hardware=hardware
            )
        except LaneSegError as failure:
            error = str(failure)
        except Exception as failure:  # out of memory, a bug in one network: the others go on
            error = f'{type(failure).__name__}: {failure}'.splitlines()[0]
            write_text(folder / ERROR, traceback.format_exc())
        finally:
            seconds = before_s + time.monotonic() - start_s
            done = {**state, 'seconds': seconds, 'finished': checkpoint is not None}
            _write_state(folder, done)
            # The network and its optimizer refer to each other: memory of the next one.
            gc.collect()
        if error:
            say(f'{contender.label} failed: {error}')
        results.append(Trained(contender.label, checkpoint, seconds, error))
    return results


def _plain(config: TrainConfig) -> dict[str, object]:
    """The configuration as it comes back from JSON."""
    plain: dict[str, object] = json.loads(json.dumps(plain_config(config)))
    return plain


def _read_state(folder: Path) -> dict[str, object] | None:
    try:
        state = json.loads((folder / STATE).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and 'config' in state else None


def _write_state(folder: Path, state: dict[str, object]) -> None:
    write_text(folder / STATE, json.dumps(state, indent=2) + '\n')


def _seconds(state: dict[str, object]) -> float:
    seconds = state.get('seconds')
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def _difference(kept: object, wanted: object, key: str = '') -> str:
    """The first key that differs, with both values."""
    if isinstance(kept, dict) and isinstance(wanted, dict):
        for name in {**kept, **wanted}:
            if kept.get(name) != wanted.get(name):
                inner = f'{key}.{name}' if key else str(name)
                return _difference(kept.get(name), wanted.get(name), inner)
    return f'{key} was {kept!r}, now {wanted!r}'
