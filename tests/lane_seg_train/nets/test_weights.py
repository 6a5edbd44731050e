"""Starting from weights: those of ours, and those of others under their own names.

The networks of others are written down here once more, layer by layer in their layout: what ours
computes with their weights is compared with what theirs computes.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lane_seg.errors import LaneSegError
from lane_seg_train.checkpoint import Checkpoint
from lane_seg_train.config import NetConfig
from lane_seg_train.nets import build_net
from lane_seg_train.nets.normalization import normalized
from lane_seg_train.nets.weights import read_weights
from tests.lane_seg_train.nets.examples import EXAMPLES, all_examples, build, needs_transformers

if TYPE_CHECKING:
    from pathlib import Path

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def image_bgr() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, 64, 64), np.uint8))


def as_imagenet(image: torch.Tensor) -> torch.Tensor:
    """RGB, normalized; one pixel of grey level 128 around it, for a first layer that pads not."""
    padded = functional.pad(image.float(), (1, 1, 1, 1), value=128.0)
    return (padded.flip(1) / 255 - MEAN) / STD


def shaken(module: nn.Module) -> nn.Module:
    """Everything that a state dict holds, at random."""
    torch.manual_seed(1)
    for name, item in module.state_dict().items():
        if name.endswith('running_var'):
            nn.init.uniform_(item, 0.5, 2)
        elif item.is_floating_point():
            nn.init.normal_(item, std=0.1 if item.ndim == 1 else (2 / item[0].numel()) ** 0.5)
    return module.eval()


def norm_relu6(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU6())


class TheirBlock(nn.Module):
    def __init__(self, size: int, out: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = size * factor
        first = [] if factor == 1 else [norm_relu6(nn.Conv2d(size, wide, 1, bias=False))]
        self.conv = nn.Sequential(
            *first,
            norm_relu6(nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)),
            nn.Conv2d(wide, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.alike = stride == 1 and size == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.alike else self.conv(x)


class TheirMobileNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [norm_relu6(nn.Conv2d(3, 32, 3, 2, bias=False))]
        outs = [16] + [24] * 2 + [32] * 3 + [64] * 4 + [96] * 3 + [160] * 3 + [320]
        strides = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]
        size = 32
        for index, (out, stride) in enumerate(zip(outs, strides, strict=True)):
            layers.append(TheirBlock(size, out, stride, 1 if index == 0 else 6))
            size = out
        layers.append(norm_relu6(nn.Conv2d(320, 1280, 1, bias=False)))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, 1000))


def their_vgg(*, batch_norm: bool, dense: int) -> nn.ModuleDict:
    """VGG16 in torchvision's layout, with a narrow classifier that fits in memory."""
    layers: list[nn.Module] = []
    size = 3
    for item in [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0]:
        if not item:
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(size, item, 3, padding=1 if layers else 0))
        layers += [nn.BatchNorm2d(item), nn.ReLU()] if batch_norm else [nn.ReLU()]
        size = item
    classifier = nn.Sequential(
        nn.Linear(512 * 49, dense), nn.ReLU(), nn.Dropout(),
        nn.Linear(dense, dense), nn.ReLU(), nn.Dropout(),
        nn.Linear(dense, 10),
    )  # fmt: skip
    return nn.ModuleDict({'features': nn.Sequential(*layers), 'classifier': classifier})


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_the_encoder_computes_what_torchvisions_mobilenet_computes(
    tmp_path: Path, suffix: str
) -> None:
    theirs = shaken(TheirMobileNet())
    path = tmp_path / f'mobilenet_v2{suffix}'
    if suffix == '.pth':
        torch.save(theirs.state_dict(), path)
    else:
        pytest.importorskip('safetensors.torch').save_file(theirs.state_dict(), path)
    net = build_net(NetConfig(name='mobilenetv2_unet', weights=str(path)), 3).eval()
    with torch.no_grad():
        features = as_imagenet(image_bgr())
        levels = []
        for index, layer in enumerate(theirs.features[:18]):
            features = layer(features)
            if index in (1, 3, 6, 13, 17):
                levels.append(features)
        ours = net.get_submodule('encoder')(normalized(image_bgr()))
    assert len(ours) == len(levels)
    for mine, other in zip(ours, levels, strict=True):
        assert torch.allclose(mine, other, atol=1e-3 * float(other.std()))


@pytest.mark.parametrize('batch_norm', [True, False])
def test_the_encoder_computes_what_torchvisions_vgg_computes(
    tmp_path: Path, batch_norm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('lane_seg_train.nets.fcn8s.DENSE_CHANNELS', 16)
    theirs = shaken(their_vgg(batch_norm=batch_norm, dense=16))
    state = theirs.state_dict()
    torch.save(state, tmp_path / 'vgg.pth')
    config = NetConfig(name='fcn8s', batch_norm=batch_norm, weights=str(tmp_path / 'vgg.pth'))
    net = build_net(config, 3).eval()
    with torch.no_grad():
        features = as_imagenet(image_bgr())
        pooled = []
        for layer in theirs['features']:
            features = layer(features)
            if isinstance(layer, nn.MaxPool2d):
                pooled.append(features)
        encoder = net.get_submodule('encoder')
        pool3, pool4, _ = encoder(normalized(image_bgr()))
        # A dense layer reads 7x7 places: so does a convolution in the middle of as many.
        patch = torch.randn(1, 512, 7, 7)
        dense = theirs['classifier'][:5](patch.flatten(1))
        convolved = encoder.fc7(encoder.fc6(patch))[:, :, 3, 3]
    for mine, other in ((pool3, pooled[2]), (pool4, pooled[3]), (convolved, dense)):
        assert torch.allclose(mine, other, atol=1e-3 * float(other.std()))


def test_vgg_without_its_classifier_leaves_the_dense_layers_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('lane_seg_train.nets.fcn8s.DENSE_CHANNELS', 16)
    theirs = shaken(their_vgg(batch_norm=False, dense=16))
    state = {name: item for name, item in theirs.state_dict().items() if 'features' in name}
    torch.save(state, tmp_path / 'vgg.pth')
    config = NetConfig(name='fcn8s', batch_norm=False)
    fresh = build(config)
    net = build(dataclasses.replace(config, weights=str(tmp_path / 'vgg.pth')))
    assert torch.equal(
        net.state_dict()['encoder.fc6.0.weight'], fresh.state_dict()['encoder.fc6.0.weight']
    )
    assert torch.equal(net.state_dict()['encoder.stages.4.2.0.bias'], state['features.28.bias'])


def test_vgg_with_and_without_batch_normalization_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('lane_seg_train.nets.fcn8s.DENSE_CHANNELS', 16)
    torch.save(their_vgg(batch_norm=False, dense=16).state_dict(), tmp_path / 'vgg.pth')
    config = NetConfig(name='fcn8s', weights=str(tmp_path / 'vgg.pth'))
    with pytest.raises(LaneSegError, match='expected weights with batch normalization'):
        build_net(config, 3)


@all_examples
def test_a_run_may_start_from_a_checkpoint_with_other_classes(
    example: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = EXAMPLES[example]
    source = build(config, classes=3)
    Checkpoint(source, config, ('a', 'b', 'c'), 64, 64, 'run', {}).save(tmp_path / 'a.pt')
    started = dataclasses.replace(config, weights=str(tmp_path / 'a.pt'))
    torch.manual_seed(5)
    with caplog.at_level(logging.WARNING):
        alike = build_net(started, 3).state_dict()
        assert not caplog.records
        other = build_net(started, 5).state_dict()
    for name, item in source.state_dict().items():
        assert torch.equal(alike[name], item)
        assert other[name].shape != item.shape or torch.equal(other[name], item)
    changed = [name for name in other if other[name].shape != alike[name].shape]
    assert changed
    assert f'{len(changed)} tensors stay random: {changed[0]}' in caplog.text


def test_an_encoder_of_ours_is_taken_over_as_it_is(tmp_path: Path) -> None:
    config = EXAMPLES['mobilenetv2_unet']
    encoder = shaken(build(config)).get_submodule('encoder')
    torch.save(encoder.state_dict(), tmp_path / 'encoder.pt')
    net = build_net(dataclasses.replace(config, weights=str(tmp_path / 'encoder.pt')), 3)
    for name, item in encoder.state_dict().items():
        assert torch.equal(net.state_dict()[f'encoder.{name}'], item)


@pytest.mark.parametrize(
    ('made_with', 'wanted', 'text'),
    [
        (NetConfig(width=4), NetConfig(width=8), r'expected stem\.0\.weight of shape \(8, 3'),
        (NetConfig(width=4), NetConfig(width=4, depth=3), 'names too many'),
        (NetConfig(width=4), EXAMPLES['enet'], 'take the name, variant and settings'),
        (EXAMPLES['mobilenetv2_unet'], NetConfig(name='mobilenetv2_unet'), 'take the variant'),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, made_with: NetConfig, wanted: NetConfig, text: str
) -> None:
    torch.save(build(made_with).state_dict(), tmp_path / 'a.pt')
    with pytest.raises(LaneSegError, match=text):
        build_net(dataclasses.replace(wanted, weights=str(tmp_path / 'a.pt')), 3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LaneSegError, match=r'found no file .*a\.pt'):
        build_net(NetConfig(weights=str(tmp_path / 'a.pt')), 3)


@pytest.mark.parametrize('name', ['a.pt', 'a.safetensors'])
@pytest.mark.parametrize('content', [b'', b'not weights', b'\x00' * 64])
def test_a_file_of_another_kind_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LaneSegError, match=rf'{name}: expected a file with weights'):
        read_weights(tmp_path / name)


@pytest.mark.parametrize('content', [[1, 2], {}, {'epoch': 3}, torch.zeros(3)])
def test_a_file_without_names_and_tensors_is_named(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / 'a.pt')
    with pytest.raises(LaneSegError, match=r'a\.pt: expected a state dict'):
        read_weights(tmp_path / 'a.pt')


def test_code_in_a_file_of_weights_does_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return exec, (f'open({str(tmp_path / "trapped")!r}, "w")',)

    torch.save({'stem.0.weight': Trap()}, tmp_path / 'a.pt')
    with pytest.raises(LaneSegError, match='expected a file with weights'):
        read_weights(tmp_path / 'a.pt')
    assert not (tmp_path / 'trapped').exists()


@needs_transformers
@pytest.mark.parametrize('channels', [1, 3])
def test_segformer_computes_what_a_folder_of_transformers_computes(
    tmp_path: Path, channels: int
) -> None:
    import transformers

    torch.manual_seed(0)
    theirs = transformers.SegformerForSemanticSegmentation(
        transformers.SegformerConfig(num_labels=7)
    ).eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(torch.randn_like(weight) * 0.02)
    theirs.half().save_pretrained(tmp_path)
    theirs.float()
    net = build_net(NetConfig(name='segformer', in_channels=channels, weights=str(tmp_path)), 7)
    assert all(module.training for module in net.modules())
    assert all(weight.dtype == torch.float32 for weight in net.parameters())
    image = image_bgr()
    if channels == 1:
        image = image[:, :1].expand(1, 3, -1, -1)
    # Theirs pads the image by three pixels of its mean, ours by grey level 128.
    first = next(item for item in theirs.modules() if isinstance(item, nn.Conv2d))
    first.padding = (0, 0)
    padded = functional.pad(image.float(), (3, 3, 3, 3), value=128.0)
    with torch.no_grad():
        ours = net.eval()(normalized(image))
        logits = theirs((padded.flip(1) / 255 - MEAN) / STD).logits
        expected = functional.interpolate(logits, scale_factor=4.0, mode='bilinear')
    assert torch.allclose(ours, expected, atol=2e-2 * float(expected.std()))


@needs_transformers
def test_an_encoder_without_head_is_enough_for_segformer(tmp_path: Path) -> None:
    import transformers

    theirs = transformers.SegformerForImageClassification(transformers.SegformerConfig())
    theirs.save_pretrained(tmp_path)
    net = build_net(NetConfig(name='segformer', weights=str(tmp_path)), 3)
    last = [item for item in theirs.segformer.modules() if isinstance(item, nn.Linear)][-1]
    mine = [item for item in net.model.segformer.modules() if isinstance(item, nn.Linear)][-1]
    assert torch.equal(last.weight, mine.weight)


@needs_transformers
@pytest.mark.parametrize('channels', [1, 3])
def test_the_backbone_of_deeplab_computes_what_a_folder_of_transformers_computes(
    tmp_path: Path, channels: int
) -> None:
    import transformers

    config = transformers.MobileNetV2Config(
        depth_multiplier=0.35, output_stride=16, tf_padding=False
    )
    theirs = shaken(transformers.MobileNetV2ForSemanticSegmentation(config))
    theirs.save_pretrained(tmp_path)
    net = build_net(
        NetConfig(
            name='deeplabv3plus_mobilenetv2',
            variant='0.35',
            in_channels=channels,
            weights=str(tmp_path),
        ),
        3,
    )
    assert all(module.training for module in net.modules())
    image = image_bgr()
    if channels == 1:
        image = image[:, :1].expand(1, 3, -1, -1)
    theirs.mobilenet_v2.conv_stem.first_conv.convolution.padding = (0, 0)
    padded = functional.pad(image.float(), (1, 1, 1, 1), value=128.0)
    with torch.no_grad():
        other = theirs.mobilenet_v2(padded.flip(1) / 127.5 - 1, output_hidden_states=True)
        ours = net.eval().get_submodule('backbone')(
            normalized(image)[:, :channels], output_hidden_states=True
        )
    for mine, expected in zip(ours.hidden_states, other.hidden_states, strict=True):
        assert torch.allclose(mine, expected, atol=1e-3 * float(expected.std()))
    assert torch.equal(
        net.get_submodule('projection').convolution.weight,
        theirs.segmentation_head.conv_projection.convolution.weight,
    )


@needs_transformers
@pytest.mark.parametrize(
    ('name', 'variant'), [('segformer', 'b1'), ('deeplabv3plus_mobilenetv2', '0.5')]
)
def test_weights_of_another_variant_are_refused(tmp_path: Path, name: str, variant: str) -> None:
    import transformers

    if name == 'segformer':
        transformers.SegformerForSemanticSegmentation(
            transformers.SegformerConfig()
        ).save_pretrained(tmp_path)
    else:
        transformers.MobileNetV2ForSemanticSegmentation(
            transformers.MobileNetV2Config(depth_multiplier=0.35)
        ).save_pretrained(tmp_path)
    with pytest.raises(LaneSegError, match=r'net\.variant'):
        build_net(NetConfig(name=name, variant=variant, weights=str(tmp_path)), 3)


@needs_transformers
@pytest.mark.parametrize('name', ['segformer', 'deeplabv3plus_mobilenetv2'])
def test_a_folder_that_holds_no_model_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LaneSegError, match='expected a folder of transformers with config.json'):
        build_net(NetConfig(name=name, weights=str(tmp_path)), 3)
