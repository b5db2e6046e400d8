"""A recurrent network reads the frames in order.  McLaughlin et al., CVPR 2016.

"Recurrent Convolutional Network for Video-based Person Re-Identification" (McLaughlin, Martinez del
Rincon and Miller), the CNN+RNN of SSN3D's Table 3.  Unlike there, there is no optical flow and no
dropout, and the triplet loss is the only loss.
"""

from einops import reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output


class Recurrent(nn.Module):
    """The maximum over space, a recurrent layer over time, and the mean of its outputs.

    o_t = W_i x_t + W_s tanh(o_{t-1}), for frames x_t; nothing precedes the first.
    """

    def __init__(self, channels: int, *, embedding: int = 1024):
        """channels: c of the features.  embedding: d, also the size of the state."""
        super().__init__()
        self.to_embedding = nn.Linear(channels, embedding)
        self.from_state = nn.Linear(embedding, embedding, bias=False)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        first, *later = self.to_embedding(reduce(features, "b t c h w -> t b c", "max"))  # [b d]
        outputs = [first]
        for frame in later:
            outputs.append(frame + self.from_state(outputs[-1].tanh()))
        return Output(reduce(outputs, "t b d -> b d", "mean"), None)
