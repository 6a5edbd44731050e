"""Another model at run time: loaded beside the one that runs, which goes on until it is ready."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.node import Node

from lane_seg.errors import LaneSegError
from lane_seg_ros.loaded_model import LoadedModel
from lane_seg_ros.parameters import LaneSegParameters

__all__ = ['ModelSwitch', 'Switched']


@dataclass(frozen=True)
class Switched:
    """What came of loading a model.

    Attributes:
        name: that was asked for.
        model: None where it could not be loaded.
        error: why not.
    """

    name: str
    model: LoadedModel | None
    error: str = ''


class ModelSwitch:
    """Loads models in a thread of its own; tells the executor thread when one is ready.

    Args:
        node: for its executor.
        on_switched: is called in the executor thread.
    """

    def __init__(self, node: Node, on_switched: Callable[[Switched], None]) -> None:
        self._on_switched = on_switched
        self._lock = threading.Lock()
        self._wanted: str | None = None
        self._results: list[Switched] = []
        self._thread: threading.Thread | None = None
        self._ready = node.create_guard_condition(self._hand_over)

    def load(self, name: str, config: LaneSegParameters) -> None:
        """Begin to load a model; where one is being loaded, its result is thrown away."""
        with self._lock:
            self._wanted = name
        self._thread = threading.Thread(
            target=self._load, args=(name, config), name='model', daemon=True
        )
        self._thread.start()

    def cancel(self) -> None:
        """Throw away what is being loaded."""
        with self._lock:
            self._wanted = None
            results, self._results = self._results, []
        _close(results)

    def _load(self, name: str, config: LaneSegParameters) -> None:
        try:
            result = Switched(name, LoadedModel.load(name, config))
        except LaneSegError as error:
            result = Switched(name, None, str(error))
        except Exception:  # of a foreign library; the model that runs goes on
            result = Switched(name, None, traceback.format_exc())
        with self._lock:
            if self._wanted != name:
                _close([result])
                return
            self._wanted = None
            self._results.append(result)
        self._ready.trigger()

    def _hand_over(self) -> None:
        with self._lock:
            results, self._results = self._results, []
        for result in results:
            self._on_switched(result)


def _close(results: list[Switched]) -> None:
    for result in results:
        if result.model is not None:
            result.model.close()
