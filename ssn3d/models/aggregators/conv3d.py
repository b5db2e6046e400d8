"""3D convolution of whole frames, with nothing aligned.  I3D: Carreira and Zisserman, CVPR 2017.

"Quo Vadis, Action Recognition?" turns 2D networks into 3D ones that start with the 2D weights.
Unlike there, where every layer is 3D, one block follows a trunk that sees single frames.
`VideoResNet` is the other way, as AP3D's authors publish it: layers over time within ResNet-50.
"""

from collections.abc import Callable

import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output

Kernel = Callable[[nn.Conv3d], nn.Module]
"""What a 1 x 3 x 3 convolution becomes in a network over clips: a layer that starts as it was."""


def inflated(spatial: nn.Conv3d) -> nn.Conv3d:
    """A 3 x 3 x 3 convolution that starts as a 1 x 3 x 3 one: the frames around weigh nothing."""
    source, channels, stride = spatial.in_channels, spatial.out_channels, spatial.stride
    layer = nn.Conv3d(source, channels, 3, stride, 1, bias=False)  # type: ignore[arg-type]
    layer.weight = nn.Parameter(F.pad(spatial.weight.detach(), (0, 0, 0, 0, 1, 1)))
    return layer


class Bottleneck(nn.Module):
    """A residual block over clips that starts as identity, if it follows a ReLU."""

    def __init__(self, channels: int, width: int, kernel: Kernel):
        """channels: c, of input and output.  width: channels that the kernel sees."""
        super().__init__()
        spatial = nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1), bias=False)
        norm = nn.BatchNorm3d(channels)
        nn.init.zeros_(norm.weight)
        self.layers = nn.Sequential(
            nn.Conv3d(channels, width, 1, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            kernel(spatial),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            nn.Conv3d(width, channels, 1, bias=False),
            norm,
        )

    def forward(self, volumes: Tensor) -> Tensor:
        """[b c t h w] -> [b c t h w]."""
        return F.relu(volumes + self.layers(volumes))


class Conv3D(nn.Module):
    """A bottleneck of 3 x 3 x 3, the maximum over space, the mean over time, a linear layer."""

    def __init__(self, channels: int, *, width: int = 256, embedding: int = 1024):
        """width: channels inside the block.  embedding: d."""
        super().__init__()
        self.block = Bottleneck(channels, width, inflated)
        self.to_embedding = nn.Linear(channels, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        volumes = self.block(rearrange(features, "b t c h w -> b c t h w"))
        frames = reduce(volumes, "b c t h w -> b c t", "max")
        return Output(self.to_embedding(reduce(frames, "b c t -> b c", "mean")), None)


def over_clips(net: nn.Module) -> nn.Module:
    """A 2D network on clips [b c t h w], frame by frame: convolutions and normalisations become 3D.

    They keep their weights; the network that is given is used up.
    """
    twin: nn.Module = net
    if isinstance(net, nn.Conv2d):
        where = (1, *net.kernel_size), (1, *net.stride), (0, *net.padding)
        twin = nn.Conv3d(net.in_channels, net.out_channels, *where, bias=False)  # type: ignore[arg-type]
        twin.weight = nn.Parameter(net.weight.detach()[:, :, None])
    elif isinstance(net, nn.BatchNorm2d):
        twin = nn.BatchNorm3d(net.num_features)
        twin.load_state_dict(net.state_dict(), assign=True)
    for name, layer in net.named_children():
        net.add_module(name, over_clips(layer))
    return twin


class VideoResNet(nn.Module):
    """ResNet-50 over clips, with the last stage at stride 1, to check layers against.

    AP3D's authors compare C2D, I3D, AP3D and non-local blocks in it: layers over time are at every
    other block of layer2 and layer3.
    """

    def __init__(
        self,
        people: int,
        *,
        kernel: Kernel | None = None,
        after: Callable[[int], nn.Module] | None = None,
    ):
        """With neither `kernel` nor `after`, frames are seen one by one (C2D).

        Args:
            people: of the training set, 625 on MARS.
            kernel: of the 1st, 3rd and 5th block, in the place of its 3 x 3 convolution.
            after: makes what follows the 2nd, 4th and 6th block, from the number of its channels.
        """
        import torchvision  # here, as importing it takes longer than all the rest together

        super().__init__()
        net = torchvision.models.resnet50()
        last = net.layer4[0]
        last.conv2.stride = last.downsample[0].stride = (1, 1)
        over_clips(net)
        for stage in (net.layer2, net.layer3):
            for place, block in enumerate(list(stage)):
                if kernel and place % 2 == 0:
                    block.conv2 = kernel(block.conv2)
                if after and place % 2 == 1:
                    stage[place] = nn.Sequential(block, after(block.conv3.out_channels))
        pool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        stages = [net.layer1, net.layer2, net.layer3, net.layer4]
        self.layers = nn.Sequential(net.conv1, net.bn1, net.relu, pool, *stages)
        self.norm = nn.BatchNorm1d(2048)
        self.classifier = nn.Linear(2048, people)  # of embeddings, for their identity loss

    def forward(self, clips: Tensor) -> Output:
        """[b t 3 H W] -> Output with d = 2048."""
        volumes = self.layers(rearrange(clips, "b t c h w -> b c t h w"))
        frames = reduce(volumes, "b c t h w -> b c t", "max")
        return Output(self.norm(reduce(frames, "b c t -> b c", "mean")), None)
