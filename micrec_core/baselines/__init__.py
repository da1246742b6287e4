"""The baselines by name: each is a file here and a line in ``REGISTRY``.

``models`` has the configurations of MICRec (``inmo``, ``lightgcn``, ...) before them.
"""

from micrec_core.baselines.als import Als, AlsJoint
from micrec_core.baselines.bitgcf import BiTgcf
from micrec_core.baselines.bm3 import Bm3
from micrec_core.baselines.bm25 import Bm25
from micrec_core.baselines.bprmf import BprMf
from micrec_core.baselines.cease import Cease
from micrec_core.baselines.cmf import Cmf
from micrec_core.baselines.content_profile import ContentProfile
from micrec_core.baselines.contract import Baseline, BaselineSettings, ClosedForm, Embeddings, Step
from micrec_core.baselines.ease import Ease, EaseJoint
from micrec_core.baselines.emcdr import Emcdr
from micrec_core.baselines.freedom import Freedom
from micrec_core.baselines.imcgae import ImcGae
from micrec_core.baselines.itemknn import ItemKNN
from micrec_core.baselines.lattice import Lattice
from micrec_core.baselines.memory_alone import MemoryAlone
from micrec_core.baselines.mgcn import Mgcn
from micrec_core.baselines.popularity import Popularity
from micrec_core.baselines.ptupcdr import Ptupcdr
from micrec_core.baselines.rp3beta import Rp3Beta
from micrec_core.baselines.vbpr import Vbpr
from micrec_core.method.configurations import CONFIGURATIONS, Configuration

__all__ = [
    "REGISTRY",
    "Baseline",
    "BaselineSettings",
    "ClosedForm",
    "Embeddings",
    "Step",
    "families",
    "models",
]

REGISTRY: dict[str, type[Baseline] | type[ClosedForm]] = {
    "popularity": Popularity,
    "itemknn": ItemKNN,
    "bm25": Bm25,
    "rp3beta": Rp3Beta,
    "ease": Ease,
    "als": Als,
    "bpr-mf": BprMf,
    "imc-gae": ImcGae,
    "content-profile": ContentProfile,
    "cease": Cease,
    "memory-alone": MemoryAlone,
    "vbpr": Vbpr,
    "lattice": Lattice,
    "bm3": Bm3,
    "freedom": Freedom,
    "mgcn": Mgcn,
    "als-joint": AlsJoint,
    "ease-joint": EaseJoint,
    "cmf": Cmf,
    "emcdr": Emcdr,
    "bitgcf": BiTgcf,
    "ptupcdr": Ptupcdr,
}

# What baselines are told apart by, in the order of tables.
FAMILIES = ("plain", "inductive", "multimodal", "cross-domain")


def models() -> dict[str, Configuration | type[Baseline] | type[ClosedForm]]:
    """All that can be trained: the configurations of MICRec, then the baselines."""
    return {**CONFIGURATIONS, **REGISTRY}


def families() -> dict[str, tuple[str, ...]]:
    """The models of each family; the full model is of all but the first."""
    known = models().items()
    return {f: tuple(n for n, model in known if model.family == f) for f in FAMILIES}
