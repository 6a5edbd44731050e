"""What every engine must do, run for each of them on a real tiny model."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

pytest.importorskip('onnx')

import onnx
from onnx import TensorProto, helper

from lane_seg.bundle import ModelBundle
from lane_seg.engines import Engine, open_engine
from lane_seg.errors import BundleError, EngineError
from lane_seg.files import sha256_of
from tests.tiny_bundle import MARKING_FROM, ROAD_FROM, make_tiny_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEIGHT, WIDTH = 64, 128


def tensor(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def definition(image: np.ndarray) -> np.ndarray:
    """What the tiny model computes, written with numpy."""
    grey = image.astype(np.float32).mean(axis=2)
    return ((grey >= ROAD_FROM).astype(np.uint8) + (grey >= MARKING_FROM)).astype(np.uint8)


class EngineTests:
    """The tests of an engine; a subclass names it."""

    name: str

    @pytest.fixture
    def bundle(self, tmp_path: Path) -> ModelBundle:
        pytest.importorskip(self.name)
        return ModelBundle.load(make_tiny_bundle(tmp_path / 'tiny'))

    @pytest.fixture
    def engine(self, bundle: ModelBundle) -> Iterator[Engine]:
        with open_engine(bundle, self.name, threads=1) as engine:
            yield engine

    def test_it_says_what_runs(self, engine: Engine) -> None:
        assert engine.name == self.name
        assert engine.version[0].isdigit()
        assert engine.threads == 1

    def test_it_computes_what_the_graph_defines(self, engine: Engine) -> None:
        for seed in range(3):
            mask = engine.infer(tensor(seed))
            assert mask.shape == (HEIGHT, WIDTH)
            assert mask.dtype == np.uint8
            assert np.array_equal(mask, definition(tensor(seed)))

    def test_it_gives_the_confidence_of_each_pixel_where_the_model_has_it(
        self, tmp_path: Path
    ) -> None:
        pytest.importorskip(self.name)
        folder = make_tiny_bundle(tmp_path / 'sure', confidence=True)
        with open_engine(ModelBundle.load(folder), self.name, threads=1) as engine:
            for seed in range(3):
                image = tensor(seed)
                mask, confidence = engine.infer_both(image)
                assert mask.shape == confidence.shape == (HEIGHT, WIDTH)
                assert confidence.dtype == np.uint8
                assert np.array_equal(mask, definition(image))
                assert np.array_equal(confidence, np.rint(image.mean(axis=2)))
                assert np.array_equal(engine.infer(image), definition(image))
        with pytest.raises(EngineError, match='is closed'):
            engine.infer_both(tensor())

    def test_a_model_without_confidence_says_how_to_get_one(self, engine: Engine) -> None:
        with pytest.raises(BundleError, match='model tiny: .*`lane-seg export --confidence`'):
            engine.infer_both(tensor())
        assert np.array_equal(engine.infer(tensor()), definition(tensor()))

    @pytest.mark.parametrize('threads', [0, 2])
    def test_the_number_of_threads_changes_nothing(
        self, bundle: ModelBundle, threads: int
    ) -> None:
        with open_engine(bundle, self.name, threads=threads) as engine:
            assert engine.threads >= 0
            assert np.array_equal(engine.infer(tensor()), definition(tensor()))

    def test_the_tensor_stays_the_callers(self, engine: Engine) -> None:
        image = tensor()
        image.flags.writeable = False
        engine.infer(image)
        assert np.array_equal(image, tensor())

    @pytest.mark.parametrize(
        'wrong',
        [
            np.zeros((WIDTH, HEIGHT, 3), np.uint8),
            np.zeros((1, HEIGHT, WIDTH, 3), np.uint8),
            np.zeros((HEIGHT, WIDTH), np.uint8),
            np.zeros((HEIGHT, WIDTH, 3), np.float32),
            np.zeros((HEIGHT, 2 * WIDTH, 3), np.uint8)[:, ::2],
        ],
    )
    def test_another_tensor_is_refused(self, engine: Engine, wrong: np.ndarray) -> None:
        text = rf'engine {self.name}: expected a contiguous uint8 tensor \(64, 128, 3\)'
        with pytest.raises(EngineError, match=text):
            engine.infer(wrong)
        assert np.array_equal(engine.infer(tensor()), definition(tensor()))

    def test_closing_twice_is_harmless_and_using_it_afterwards_an_error(
        self, bundle: ModelBundle
    ) -> None:
        engine = open_engine(bundle, self.name, threads=1)
        mask = engine.infer(tensor())
        engine.close()
        engine.close()
        assert mask.max() <= 2  # what was handed out is still memory that may be read
        with pytest.raises(EngineError, match=f'engine {self.name} is closed; open it again'):
            engine.infer(tensor())

    def test_with_closes_it_also_on_an_error(self, bundle: ModelBundle) -> None:
        engine = open_engine(bundle, self.name, threads=1)
        with pytest.raises(KeyboardInterrupt), engine as inside:
            assert inside is engine
            raise KeyboardInterrupt
        with pytest.raises(EngineError, match='is closed'):
            engine.infer(tensor())

    def test_engines_in_several_threads_do_not_disturb_each_other(
        self, bundle: ModelBundle
    ) -> None:
        wrong: list[int] = []

        def work(seed: int) -> None:
            with open_engine(bundle, self.name, threads=1) as engine:
                for step in range(20):
                    image = tensor(100 * seed + step)
                    if not np.array_equal(engine.infer(image), definition(image)):
                        wrong.append(seed)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not wrong

    def test_an_engine_may_be_used_from_another_thread_than_it_was_opened_in(
        self, engine: Engine
    ) -> None:
        masks: list[np.ndarray] = []
        thread = threading.Thread(target=lambda: masks.append(engine.infer(tensor()).copy()))
        thread.start()
        thread.join(60)
        assert np.array_equal(masks[0], definition(tensor()))

    def test_a_graph_that_it_cannot_load_is_an_error_that_names_the_file(
        self, tmp_path: Path
    ) -> None:
        pytest.importorskip(self.name)
        folder = make_tiny_bundle(tmp_path / 'odd')
        node = helper.make_node('NoSuchOperator', ['image'], ['mask'], domain='nowhere')
        graph = helper.make_graph(
            [node],
            'odd',
            [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
            [helper.make_tensor_value_info('mask', TensorProto.UINT8, [1, HEIGHT, WIDTH])],
        )
        opsets = [helper.make_opsetid('', 17), helper.make_opsetid('nowhere', 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.save(model, folder / 'model.onnx')
        spec = yaml.safe_load((folder / 'model.yaml').read_text(encoding='utf-8'))
        spec['files']['model.onnx']['sha256'] = sha256_of(folder / 'model.onnx')
        (folder / 'model.yaml').write_text(yaml.safe_dump(spec), encoding='utf-8')
        with pytest.raises(EngineError, match=str(folder / 'model.onnx')):
            open_engine(ModelBundle.load(folder), self.name)


class TestOpenVino(EngineTests):
    """OpenVINO."""

    name = 'openvino'


class TestOnnxRuntime(EngineTests):
    """ONNX Runtime."""

    name = 'onnxruntime'
