"""An engine is opened by its name, or the best that is installed."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip('onnx')

from lane_seg.bundle import ModelBundle
from lane_seg.engines import ENGINES, open_engine
from lane_seg.errors import EngineError
from tests.tiny_bundle import make_tiny_bundle

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return ModelBundle.load(make_tiny_bundle(tmp_path / 'tiny'))


def uninstall(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """None in sys.modules makes Python raise ImportError."""
    for name in packages:
        monkeypatch.setitem(sys.modules, name, None)


def test_auto_takes_openvino_first(bundle: ModelBundle) -> None:
    pytest.importorskip('openvino')
    with open_engine(bundle) as engine:
        assert engine.name == 'openvino'


def test_auto_steps_down_to_onnx_runtime_and_logs_why(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip('onnxruntime')
    uninstall(monkeypatch, 'openvino')
    with caplog.at_level(logging.WARNING), open_engine(bundle) as engine:
        assert engine.name == 'onnxruntime'
    assert 'engine openvino cannot be used: import of openvino' in caplog.text


def test_without_any_engine_the_message_says_what_to_install(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninstall(monkeypatch, 'openvino', 'onnxruntime')
    with pytest.raises(EngineError, match='expected the Python package openvino or onnxruntime'):
        open_engine(bundle)


@pytest.mark.parametrize('name', ['openvino', 'onnxruntime'])
def test_an_engine_that_was_asked_for_is_never_replaced(
    bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    uninstall(monkeypatch, name)
    with pytest.raises(EngineError, match=f'install it: python3 -m pip install {name}'):
        open_engine(bundle, name)


def test_an_unknown_engine_is_refused_with_the_known_ones(bundle: ModelBundle) -> None:
    with pytest.raises(EngineError, match=f"{', '.join(ENGINES)}, found 'caffe'"):
        open_engine(bundle, 'caffe')


def test_a_negative_number_of_threads_is_refused(bundle: ModelBundle) -> None:
    with pytest.raises(EngineError, match='expected threads >= 0'):
        open_engine(bundle, threads=-1)
