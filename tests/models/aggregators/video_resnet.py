"""The network in which AP3D's authors publish their layers, to check ours against its size."""

from collections.abc import Callable

import torchvision
from einops import rearrange, reduce
from torch import Tensor, nn

from ssn3d.models.aggregators.conv3d import Kernel
from ssn3d.models.reid import Output


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
    """ResNet-50 over clips, with the last stage at stride 1.

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
