"""What every engine does the same way: check its input, be a context manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lane_seg.confidence import no_confidence
from lane_seg.errors import EngineError

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray
    from typing_extensions import Self

    from lane_seg.bundle import ModelBundle

__all__ = ['BaseEngine']


class BaseEngine:
    """Common part of the engines; see the protocol `lane_seg.engines.Engine`.

    Args:
        bundle: the verified model.
        name: name of the engine.
        version: version of its library.
        threads: CPU threads that were asked for, 0 if the engine decides.
    """

    def __init__(self, bundle: ModelBundle, *, name: str, version: str, threads: int) -> None:
        self.name = name
        self.version = version
        self.threads = threads
        self._shape = (bundle.height, bundle.width, 3)
        self._model = bundle.name
        self._has_confidence = bundle.confidence

    def check_tensor(self, tensor: NDArray[np.uint8]) -> None:
        """Raise EngineError unless the tensor is what the model takes."""
        if (
            tensor.shape != self._shape
            or tensor.dtype != np.uint8
            or not tensor.flags.c_contiguous
        ):
            raise EngineError(
                f'engine {self.name}: expected a contiguous uint8 tensor {self._shape}, found '
                f'{tensor.dtype} {tensor.shape}; use lane_seg.preprocess.tensor_from_image'
            )

    def infer_both(self, tensor: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Raise BundleError: an engine that can give both says how."""
        raise no_confidence(self._model)

    def check_confidence(self) -> None:
        """Raise BundleError unless the model gives confidence."""
        if not self._has_confidence:
            raise no_confidence(self._model)

    def closed_error(self) -> EngineError:
        """The error of using an engine after `close`."""
        return EngineError(f'engine {self.name} is closed; open it again with open_engine')

    def close(self) -> None:
        """Free everything; may be called twice."""

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the engine."""
        self.close()
