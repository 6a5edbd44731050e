"""The errors of the core have one base, and image errors a key to count them by."""

from __future__ import annotations

from typing import get_args

import pytest

from lane_seg.errors import BundleError, EngineError, ImageError, ImageErrorCause, LaneSegError


@pytest.mark.parametrize('kind', [BundleError, EngineError])
def test_every_error_is_caught_by_its_base(kind: type[LaneSegError]) -> None:
    with pytest.raises(LaneSegError, match='what to do'):
        raise kind('what to do')


@pytest.mark.parametrize('cause', get_args(ImageErrorCause))
def test_an_image_error_carries_its_cause_beside_its_text(cause: ImageErrorCause) -> None:
    error = ImageError('what to do', cause=cause)
    assert isinstance(error, LaneSegError)
    assert (str(error), error.cause) == ('what to do', cause)
