from __future__ import annotations

import torch

from multimodal.recognition.irse import IRSE50, TAPS, BlockConfig, BottleneckIRSE, block_configs


def test_fifty_layers_are_24_blocks_with_four_halvings():
    configs = block_configs()
    assert len(configs) == 24
    assert [i for i, c in enumerate(configs) if c.stride == 2] == [0, 3, 7, 21]
    assert configs[7] == BlockConfig(128, 256, 2)


def test_features_have_the_sizes_the_encoders_expect():
    torch.manual_seed(0)
    net = IRSE50().eval()
    with torch.no_grad():
        shapes = [tuple(f.shape) for f in net.features(torch.randn(1, 3, 32, 32), TAPS)]
    assert shapes == [(1, 128, 8, 8), (1, 256, 4, 4), (1, 512, 2, 2)]


def test_last_feature_is_the_forward_output():
    torch.manual_seed(0)
    net = IRSE50().eval()
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(net.features(x, (23,))[0], net(x))


def test_keys_follow_the_public_layout():
    keys = set(IRSE50(6).state_dict())
    assert {
        "input_layer.0.weight",
        "body.0.res_layer.5.fc1.weight",
        "body.23.res_layer.4.running_var",
    } <= keys
    assert "body.3.shortcut_layer.1.running_mean" in keys
    assert not any(k.startswith("body.1.shortcut_layer") for k in keys)


def test_block_passes_gradients_through_both_paths():
    torch.manual_seed(0)
    block = BottleneckIRSE(BlockConfig(16, 32, 2)).eval()
    x = torch.randn(1, 16, 9, 9, requires_grad=True)
    y = block(x)
    y.sum().backward()
    assert y.shape == (1, 32, 5, 5)
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
