import pytest
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.testing import assert_close

from ssn3d.models import AGGREGATORS
from ssn3d.models.aggregators.ssn3d import SSN3D
from ssn3d.models.backbone import SmallBackbone
from ssn3d.models.reid import Output, ReID
from ssn3d.models.ssn import Parts

PARTS, EMBEDDING = 5, 12


def reid(**options) -> ReID:
    torch.manual_seed(1)
    backbone = SmallBackbone((4, 4, 6, 6))
    sizes = {"parts": PARTS, "hidden": 8, "width": 7, "embedding": EMBEDDING}
    return ReID(backbone, SSN3D(backbone.channels, **sizes | options)).eval()


@pytest.fixture
def clips(generator) -> Tensor:
    return torch.randint(0, 256, (3, 4, 3, 24, 16), generator=generator, dtype=torch.uint8)


@pytest.fixture
def points(generator) -> Tensor:
    return torch.rand(3, 4, PARTS, 2, generator=generator)


def test_bytes_and_shares_of_one_are_the_same_picture(clips):
    model = reid()
    assert_close(model(clips).embedding, model(clips.float() / 255).embedding, rtol=0, atol=0)


def test_frames_are_normalised_by_the_colours_of_imagenet(clips):
    seen = []
    backbone = nn.Identity()
    backbone.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    features = ReID(backbone, nn.Identity()).features(clips[0])
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    for channel in range(3):
        expected = (clips[0, :, channel] / 255 - mean[channel]) / std[channel]
        assert_close(features[:, channel], expected)


def test_a_backbone_says_what_colours_its_weights_expect(clips):
    backbone = nn.Identity()
    backbone.mean, backbone.std = (0.5, 0.4, 0.3), (0.1, 0.2, 0.5)
    features = ReID(backbone, nn.Identity()).features(clips[0])
    for channel, (mean, std) in enumerate(zip(backbone.mean, backbone.std, strict=True)):
        assert_close(features[:, channel], (clips[0, :, channel] / 255 - mean) / std)


@pytest.mark.parametrize("training", [False, True])
def test_the_output_is_of_one_kind_in_training_and_evaluation(clips, training):
    output = reid().train(training)(clips)
    assert type(output) is Output
    assert type(output.parts) is Parts
    assert output.embedding.shape == (3, EMBEDDING)
    assert output.parts.maps.shape == (3, 4, PARTS, 6, 4)


def test_clips_do_not_see_each_other_in_evaluation(clips):
    model = reid()
    assert_close(model(clips).embedding[1:2], model(clips[1:2]).embedding)


def test_the_aggregator_gets_the_frames_of_each_clip_in_order(clips):
    class Recorder(nn.Module):
        def forward(self, features: Tensor, points: Tensor | None) -> Output:
            return Output(features, None)

    model = ReID(nn.AvgPool2d(8), Recorder())
    features = model(clips).embedding
    assert_close(features[2, 1], model.features(clips[2])[1])


def test_a_shared_classifier_embeds_clips_of_any_length(clips):
    for frames in (1, 2, 12):
        assert reid()(clips.repeat(1, 3, 1, 1, 1)[:, :frames]).embedding.shape == (3, EMBEDDING)


def test_points_take_the_place_of_the_attention(clips, points):
    model = reid()
    told, moved = model(clips, points), model(clips, points.flip(0))
    assert_close(told.parts.maps.amax((-1, -2)), torch.ones(3, 4, PARTS))
    difference = (told.embedding - moved.embedding).abs().amax(dim=1)
    assert difference[0] > 1e-4
    assert (told.embedding - model(clips).embedding).abs().max() > 1e-4


def test_with_points_the_classifier_does_not_change_the_embedding(clips, points):
    model = reid()
    model(clips, points).embedding.sum().backward()
    assert all(weight.grad is None for weight in model.aggregator.ssn.parameters())


def test_permuting_the_parts_permutes_the_blocks_that_are_fused(clips, points):
    model = reid()
    order = torch.tensor([3, 0, 4, 1, 2])
    before = model(clips, points).embedding
    with torch.no_grad():
        for name, numbers in model.aggregator.part_conv.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                numbers.copy_(numbers.unflatten(0, (PARTS, -1))[order].flatten(0, 1))
        weight = model.aggregator.fusion.weight
        blocks = rearrange(weight, "d (n k) -> n d k", n=PARTS)[order]
        weight.copy_(rearrange(blocks, "n d k -> d (n k)"))
    assert_close(model(clips, points[:, :, order]).embedding, before)


def test_ssn3d_fuses_the_vectors_of_its_parts(clips):
    model = reid()
    output = model(clips)
    vectors = model.aggregator.part_conv(output.parts.features)
    assert_close(output.embedding, model.aggregator.fusion(vectors.flatten(1)))


def test_ssn3d_takes_the_settings_of_its_parts():
    aggregator = reid(window=5, frames=4, block="plain").aggregator
    assert len(aggregator.ssn.classifiers) == 4
    assert aggregator.ssn.classifiers[0].to_hidden.kernel_size == (5, 5)
    assert aggregator.part_conv.blocks[0].kernel_size == (3, 3, 3)


def test_every_weight_learns_from_the_embedding(clips):
    model = reid().train()
    model(clips).embedding.square().sum().backward()
    silent = [name for name, weight in model.named_parameters() if not weight.grad.any()]
    assert silent == []


def test_colour_statistics_are_not_among_the_weights():
    assert not {"mean", "std"} & set(reid().state_dict())


def test_aggregators_are_found_by_name():
    assert AGGREGATORS["ssn3d"] is SSN3D
