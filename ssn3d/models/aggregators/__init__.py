"""Aggregators: they turn the frames of a clip into one embedding.  Each method has its own."""

from torch import nn

from .ap3d import AP3D
from .average import Average
from .conv3d import Conv3D
from .mg_rafa import MGRAFA
from .mgh import MGH
from .non_local import NonLocalPooling
from .recurrent import Recurrent
from .spa_atn import SpaAtn
from .ssn3d import SSN3D
from .st_gcn import STGCN
from .stripes import Stripes
from .temporal_attention import TemporalAttention

AGGREGATORS: dict[str, type[nn.Module]] = {
    "ssn3d": SSN3D,
    "average": Average,
    "temporal_attention": TemporalAttention,
    "recurrent": Recurrent,
    "stripes": Stripes,
    "conv3d": Conv3D,
    "non_local": NonLocalPooling,
    "ap3d": AP3D,
    "spa_atn": SpaAtn,
    "mg_rafa": MGRAFA,
    "st_gcn": STGCN,
    "mgh": MGH,
}
"""Every aggregator by its name in `RunConfig.aggregator`."""
