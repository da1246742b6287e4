"""The baselines by name; ``inmo``, ``inmo-mf`` and ``lightgcn`` are configurations of MICRec."""

from micrec_core.baselines.bitgcf import BiTgcf
from micrec_core.baselines.bm3 import Bm3
from micrec_core.baselines.bprmf import BprMf
from micrec_core.baselines.cmf import Cmf
from micrec_core.baselines.contract import Baseline, ClosedForm, Embeddings, Step
from micrec_core.baselines.ease import Ease
from micrec_core.baselines.emcdr import Emcdr
from micrec_core.baselines.freedom import Freedom
from micrec_core.baselines.imcgae import ImcGae
from micrec_core.baselines.itemknn import ItemKNN
from micrec_core.baselines.lattice import Lattice
from micrec_core.baselines.mgcn import Mgcn
from micrec_core.baselines.popularity import Popularity
from micrec_core.baselines.ptupcdr import Ptupcdr
from micrec_core.baselines.vbpr import Vbpr

__all__ = ["REGISTRY", "Baseline", "ClosedForm", "Embeddings", "Step"]

REGISTRY: dict[str, type[Baseline] | type[ClosedForm]] = {
    "popularity": Popularity,
    "itemknn": ItemKNN,
    "ease": Ease,
    "bpr-mf": BprMf,
    "imc-gae": ImcGae,
    "vbpr": Vbpr,
    "lattice": Lattice,
    "bm3": Bm3,
    "freedom": Freedom,
    "mgcn": Mgcn,
    "cmf": Cmf,
    "emcdr": Emcdr,
    "bitgcf": BiTgcf,
    "ptupcdr": Ptupcdr,
}
