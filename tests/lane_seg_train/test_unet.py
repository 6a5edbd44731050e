"""The U-Net: shapes, sizes it takes, gradients, export."""

from __future__ import annotations

from io import BytesIO

import pytest
import torch

from lane_seg.errors import LaneSegError
from lane_seg_train.config import NetConfig
from lane_seg_train.nets import build_net
from lane_seg_train.nets.unet import UNet


def tiny(depth: int = 2, classes: int = 3) -> UNet:
    torch.manual_seed(0)
    return UNet(num_classes=classes, width=4, depth=depth, multipliers=[1] * (depth + 1))


@pytest.mark.parametrize('depth', [1, 2, 4])
@pytest.mark.parametrize('classes', [2, 3, 8])
def test_logits_have_the_inputs_size(depth: int, classes: int) -> None:
    net = tiny(depth, classes)
    assert net.size_multiple == 2 ** (depth + 1)
    height, width = net.size_multiple, 3 * net.size_multiple
    assert net(torch.zeros(2, 3, height, width)).shape == (2, classes, height, width)


def test_every_weight_is_taught() -> None:
    net = tiny()
    net(torch.randn(2, 3, 16, 24)).square().mean().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


def test_a_pixel_is_seen_at_its_own_place() -> None:
    net = tiny(depth=1).eval()
    image = torch.zeros(1, 3, 32, 32)
    image[..., 8:10, 20:22] = 2.0
    change = (net(image) - net(torch.zeros(1, 3, 32, 32))).abs().sum(dim=1)[0]
    rows, columns = torch.nonzero(change > 0, as_tuple=True)
    assert rows.min() <= 8 <= rows.max()
    assert columns.min() <= 20 <= columns.max()
    assert rows.max() - rows.min() < 31


@pytest.mark.parametrize(
    ('size', 'nearest'),
    [((250, 512), '256x512'), ((256, 500), '256x512'), ((1, 1), '32x32'), ((0, 512), '32x512')],
)
def test_a_size_that_cannot_be_halved_is_refused_with_the_nearest_that_can(
    size: tuple[int, int], nearest: str
) -> None:
    net = tiny(depth=4)
    text = f'multiples of 32, found {size[0]}x{size[1]}; the nearest valid size is {nearest}'
    with pytest.raises(LaneSegError, match=text):
        net.check_size(*size)
    net.check_size(256, 512)


@pytest.mark.parametrize(('depth', 'multipliers'), [(2, [1, 2]), (2, [1, 2, 4, 8]), (0, [1])])
def test_the_number_of_multipliers_must_fit_the_depth(depth: int, multipliers: list[int]) -> None:
    with pytest.raises(LaneSegError, match=rf'expected depth \+ 1 = {depth + 1} multipliers'):
        UNet(num_classes=3, width=4, depth=depth, multipliers=multipliers)


def test_a_network_is_built_by_its_name() -> None:
    net = build_net(NetConfig(width=4, depth=1, multipliers=(1, 2)), 3)
    assert isinstance(net, UNet)
    with pytest.raises(LaneSegError, match="found 'enet'"):
        build_net(NetConfig(name='enet'), 3)


@pytest.mark.filterwarnings('ignore')
def test_it_can_be_exported_and_computes_the_same() -> None:
    onnx = pytest.importorskip('onnx')
    onnxruntime = pytest.importorskip('onnxruntime')
    net = tiny().eval()
    tensor = torch.randn(1, 3, 16, 24)
    buffer = BytesIO()
    torch.onnx.export(net, (tensor,), buffer, opset_version=17, dynamo=False)
    model = onnx.load_from_string(buffer.getvalue())
    onnx.checker.check_model(model, full_check=True)
    # What int8 kernels and TensorRT 8.5 cannot do well has no place here.
    assert not {node.op_type for node in model.graph.node} & {
        'ConvTranspose',
        'BatchNormalization',
    }
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=['CPUExecutionProvider'])
    (logits,) = session.run(None, {session.get_inputs()[0].name: tensor.numpy()})
    assert torch.allclose(torch.from_numpy(logits), net(tensor), atol=1e-4)
