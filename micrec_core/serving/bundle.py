"""Writing and reading what a run is served from.

``model.safetensors``         the model's parameters, as training wrote them
``serving.safetensors``       embeddings, bridges, features, neighbours, train interactions
``serving.json``              settings, domains, personas
``serving_ids.parquet``       ids and titles
``serving_encoders.json``     what the encoders need beside their arrays (a vocabulary, say)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from micrec_core.errors import RunError
from micrec_core.features import FeatureMatrix
from micrec_core.graphs.neighbours import Features, Neighbours
from micrec_core.method.arrays import Floats, GateArrays, ModalityArrays
from micrec_core.method.bridge import Bridge
from micrec_core.method.configurations import CONFIGURATIONS
from micrec_core.method.memory import Constants
from micrec_core.method.profiles import Links, Scaling
from micrec_core.method.remembered import Remembered
from micrec_core.modalities.registry import spoken_to
from micrec_core.names import PARAMETERS
from micrec_core.runs import Run, RunWriter
from micrec_core.runs.served import SERVED, parse_about
from micrec_core.serving.contents import BRIDGE_ARRAYS, Bundle, DomainPart
from micrec_core.serving.tensors import LINKS, LINKS_BY_NOW, UPDATED, csr, hold, hold_data
from micrec_core.serving.user_spaces import anchors, are_quick, user_spaces

if TYPE_CHECKING:
    from micrec_core.data import Dataset
    from micrec_core.method.inductive import BySource
    from micrec_core.method.knowledge import DomainKnowledge, Knowledge
    from micrec_core.method.micrec import MICRec
    from micrec_core.training.prepare import Prepared

TENSORS, ABOUT = "serving.safetensors", SERVED
IDS, ENCODERS = "serving_ids.parquet", "serving_encoders.json"
# Versions 1 to 3 held parameters and had the embeddings computed when opened; see ``upgrade``.
# Version 4 knew of no memory, version 5 of no regression in it; UPDATED has what came later too.
VERSION, READABLE = 6, (1, 2, 3, 4, 5, 6, UPDATED)
EMBEDDED = 4
Tensors = dict[str, NDArray[Any]]


def write_bundle(
    writer: RunWriter,
    prepared: Prepared,
    model: MICRec,
    by_source: Sequence[BySource],
    bridges: Mapping[tuple[int, int], Bridge],
    memories: Sequence[Remembered | None],
) -> None:
    """Write everything ``Recommender.open`` needs beside the model's parameters.

    Parameters
    ----------
    prepared, model : what was trained
    by_source : the trained model's embeddings, kept apart by source; what is served is checked
        against them
    bridges : (source, target) -> what takes a user to a domain where they took nothing; empty
        where nothing crosses domains
    memories : of each domain, None where it has none

    Raises
    ------
    RunError
        What would be served is not what was trained: the fold-in has fallen behind the model.
    """
    from micrec_core.serving.verify import check_against

    knowledge, features = prepared.knowledge, prepared.features
    tensors = _pack_shared(knowledge, features.means)
    of = [part.train for part in knowledge.domains], [part.features for part in knowledge.domains]
    stored = not are_quick(*of)
    for d, part in enumerate(knowledge.domains):
        tensors |= _pack_domain(d, part, stored)
    tensors |= pack_embeddings(by_source)
    for (a, b), bridge in bridges.items():
        tensors[f"bridge.{a}-{b}.share"] = np.array([bridge.share], np.float32)
        for name in BRIDGE_ARRAYS:
            tensors[f"bridge.{a}-{b}.{name}"] = getattr(bridge, name)
    metas = {}
    for m in knowledge.modalities:
        metas[m], arrays = features.encoders[m].state()
        tensors |= {f"encoder.{m}.{name}": value for name, value in arrays.items()}
    about = _about(prepared, model)
    about["memory"] = [m and vars(m.constants) | {"weight": m.weight} for m in memories]
    for d, held in enumerate(memories):
        if held is not None and held.regression is not None:
            tensors |= _pack_rows(f"{d}.regression", held.regression)
    ids = _ids(prepared.dataset)
    tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    parameters = {name: numpy_of(value) for name, value in model.state_dict().items()}
    check_against(unpack(parameters, tensors, about, ids, metas), by_source)
    writer.write_tensors(TENSORS, tensors)
    writer.write_parquet(IDS, ids)
    writer.write_json(ENCODERS, metas)
    writer.write_json(ABOUT, about)


def read_bundle(run: Run) -> Bundle:
    """The bundle of a run.

    Raises
    ------
    RunError
        The run has none, or it is incomplete or of a newer version.
    """
    where = f"Run '{run.name}'"
    if run.info.model not in CONFIGURATIONS:
        raise RunError(
            f"{where} is of {run.info.model}, a baseline that is trained to be compared and not "
            "to serve: open a run of micrec, inmo or lightgcn."
        )
    if not run.has(ABOUT):
        raise RunError(f"{where} holds nothing to serve from: train it anew.")
    about = run.json(ABOUT)
    version = about.get("version") if isinstance(about, dict) else None
    if version not in READABLE:
        raise RunError(
            f"{where} has a serving bundle of version {str(version)[:20]} and this program reads "
            f"{VERSION}: train it anew or use the matching version."
        )
    try:
        # Held to their ranges below, which no infinity is in.
        embedded = version >= EMBEDDED
        tensors = run.tensors(TENSORS, finite=False, mapped=embedded)
        if not embedded:
            hold_data(parse_about(about), tensors)
            # It runs the model, so it brings torch along.
            from micrec_core.serving.upgrade import upgraded

            parameters, tensors = upgraded(tensors, about)
        else:
            parameters = run.tensors(PARAMETERS, finite=False, mapped=True)
        return unpack(parameters, tensors, about, run.frame(IDS), run.json(ENCODERS))
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError) as error:
        raise RunError(
            f"{where} has a serving bundle that does not fit together ({error}): train it anew."
        ) from error


# Writing -----------------------------------------------------------------------------------------


def _pack_shared(knowledge: Knowledge, means: Mapping[str, Floats]) -> Tensors:
    out: Tensors = {f"means.{m}": means[m] for m in knowledge.modalities}
    return out | _pack_links(LINKS, knowledge.links)


def _pack_links(group: str, links: Links) -> Tensors:
    out: Tensors = {}
    for (a, b), (there, here) in links.items():
        out[f"{group}.{a}-{b}.source"] = there.astype(np.int32)
        out[f"{group}.{a}-{b}.target"] = here.astype(np.int32)
    return out


def _pack_domain(d: int, part: DomainKnowledge, stored: bool) -> Tensors:
    out = _pack_pattern(f"{d}.train", part.train)
    for side in ("user", "item"):
        scaling: Scaling = getattr(part, f"{side}_scaling")
        out[f"{d}.{side}_scaling.mean"] = np.asarray(scaling.mean, np.float32)
        out[f"{d}.{side}_scaling.std"] = np.asarray(scaling.std, np.float32)
    for m, matrix in part.features.items():
        space = anchors(part.train, part.profiles[m]) if stored else None
        near = part.user_neighbours[m], part.item_neighbours[m]
        out |= _pack_modality(f"{d}.{m}", matrix, space, *near)
    return out


def _pack_modality(
    place: str,
    features: FeatureMatrix,
    user_space: Features | None,
    user_neighbours: Neighbours,
    item_neighbours: Neighbours,
) -> Tensors:
    out: Tensors = {f"{place}.dense": features.dense, f"{place}.present": features.present}
    for name, rows in (("sparse", features.sparse), ("user_space", user_space)):
        if sparse.issparse(rows):
            out |= _pack_rows(f"{place}.{name}", rows)
        elif rows is not None:
            out[f"{place}.{name}"] = rows
    for side, found in (("user", user_neighbours), ("item", item_neighbours)):
        out[f"{place}.{side}_neighbours.rows"] = found.rows.astype(
            np.int16 if len(found) <= 2**15 else np.int32
        )
        out[f"{place}.{side}_neighbours.similarity"] = found.similarity
    return out


def _pack_pattern(name: str, matrix: sparse.csr_matrix) -> Tensors:
    """Of a binary matrix, where its ones are."""
    return {
        f"{name}.indptr": matrix.indptr.astype(np.int32),
        f"{name}.indices": _small(matrix.indices, matrix.shape[1]),
    }


def pack_embeddings(by_source: Sequence[BySource]) -> dict[str, NDArray[Any]]:
    """What ``DomainArrays`` holds of the forward pass: e and ê of users, items' layers by source.

    Parameters
    ----------
    by_source : the model's embeddings, kept apart by source
    """
    out: Tensors = {}
    for d, found in enumerate(by_source):
        out[f"{d}.initial_users"] = numpy_of(found.initial_users)
        out[f"{d}.users"] = numpy_of(found.users.sum(1))
        out[f"{d}.item_layers"] = numpy_of(found.item_layers)
    return out


def _about(prepared: Prepared, model: MICRec) -> dict[str, Any]:
    modalities, settings = prepared.knowledge.modalities, prepared.knowledge.settings
    return {
        "version": VERSION,
        "domains": [
            {"name": d.name, "label": d.label, "n_users": d.n_users, "n_items": d.n_items}
            for d in prepared.dataset.domains
        ],
        "split": prepared.split.kind,
        "modalities": list(modalities),
        "encoders": {m: prepared.features.encoders[m].label for m in modalities},
        "layers": model.settings.layers,
        "templates": model.settings.templates,
        "neighbours": {"k": settings.k, "temperature": settings.temperature},
        "cross_profile": settings.cross_profile,
        "n_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "personas": _personas(prepared.dataset),
    }


def _personas(dataset: Dataset) -> list[dict[str, Any]]:
    """Made-up people that come with the dataset; none where the file is absent or not usable."""
    try:
        found = json.loads((dataset.root / "personas.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    known = {d.name: set(d.item_ids.tolist()) for d in dataset.domains}
    out = []
    for person in found if isinstance(found, list) else []:
        if not isinstance(person, dict) or not isinstance(person.get("name"), str):
            continue
        likes = person.get("likes")
        likes = likes if isinstance(likes, dict) else {}
        out.append(
            {
                "name": person["name"],
                "sentence": str(person.get("sentence") or ""),
                **{
                    m.name: str(person.get(m.name) or "")
                    for m in spoken_to()
                    if m.asks == "sentence"
                },
                "likes": {
                    d: [i for i in map(str, likes.get(d) or ()) if i in ids]
                    for d, ids in known.items()
                },
            }
        )
    return out


def _ids(dataset: Dataset) -> pd.DataFrame:
    parts = [_ids_of(d.name, d.user_ids, d.item_ids, d.titles) for d in dataset.domains]
    return pd.concat([frame for pair in parts for frame in pair], ignore_index=True)


def _ids_of(
    domain: str,
    users: NDArray[np.object_],
    items: NDArray[np.object_],
    titles: NDArray[np.object_],
) -> list[pd.DataFrame]:
    of_users = {"domain": domain, "side": "user", "id": users, "title": ""}
    of_items = {"domain": domain, "side": "item", "id": items, "title": titles}
    return [pd.DataFrame(of_users), pd.DataFrame(of_items)]


def numpy_of(value: Any) -> NDArray[Any]:
    """A tensor of any device as an array."""
    array: NDArray[Any] = value.detach().cpu().numpy()
    return array


def _small(indices: NDArray[Any], below: int) -> NDArray[Any]:
    return indices.astype(np.uint16 if below <= 2**16 else np.int32)


def _pack_rows(name: str, matrix: sparse.csr_matrix) -> Tensors:
    return {
        f"{name}.data": matrix.data.astype(np.float32),
        f"{name}.indices": _small(matrix.indices, matrix.shape[1]),
        f"{name}.indptr": matrix.indptr.astype(np.int32),
        f"{name}.width": np.array([matrix.shape[1]], np.int64),
    }


def pack_updated(bundle: Bundle) -> tuple[Tensors, list[dict[str, int]], pd.DataFrame]:
    """What an update changes of a bundle: tensors, counts of each domain, ids.

    Padded are the rows of whoever came after training; parameters, means, bridges and encoders
    stay, and so does the target of a bridge, whose users may have got other embeddings since.
    """
    out, counts, ids = _pack_links(LINKS_BY_NOW, bundle.in_both), [], []
    for (a, b), bridge in bundle.bridge.items():
        out[f"bridge.{a}-{b}.target"] = bridge.target
    for d, chosen in enumerate(bundle.memory):
        if chosen is not None and chosen[2] is not None:
            out |= _pack_rows(f"{d}.regression", chosen[2])
    for d, part in enumerate(bundle.domains):
        n_users, n_items = part.train.shape
        n_trained = n_items if part.n_trained_items is None else part.n_trained_items
        counts.append({"n_users": n_users, "n_items": n_items, "n_trained_items": n_trained})
        ids += _ids_of(part.name, part.user_ids, part.item_ids, part.titles)
        for which in ("train", "later"):
            out |= _pack_pattern(f"{d}.{which}", getattr(part, which))
        for name in ("initial_users", "users", "item_layers"):
            out[f"{d}.{name}"] = getattr(part, name)
        for m, x in part.modalities.items():
            near = x.user_neighbours, x.item_neighbours
            out |= _pack_modality(f"{d}.{m}", x.features, x.user_space, *near)
    tensors = {name: np.ascontiguousarray(value) for name, value in out.items()}
    return tensors, counts, pd.concat(ids, ignore_index=True)


# Reading -----------------------------------------------------------------------------------------


def unpack(
    parameters: Mapping[str, NDArray[Any]],
    tensors: Mapping[str, NDArray[Any]],
    about: Mapping[str, Any],
    ids: pd.DataFrame,
    encoders: Mapping[str, Mapping[str, Any]],
) -> Bundle:
    """The bundle from the content of its files; KeyError or ValueError where they disagree."""
    hold(parse_about(about), parameters, tensors)
    if len(ids) != sum(int(d["n_users"]) + int(d["n_items"]) for d in about["domains"]):
        raise ValueError("its ids are not as many as its users and items")
    modalities, version = tuple(about["modalities"]), int(about["version"])
    links = unpack_links(tensors)
    domains = _domains(parameters, tensors, about, ids, links)
    return Bundle(
        domains=domains,
        modalities=modalities,
        layers=int(about["layers"]),
        templates=bool(about["templates"]),
        alpha=parameters["alpha"].item(),
        k=int(about["neighbours"]["k"]),
        temperature=float(about["neighbours"]["temperature"]),
        cross_profile=bool(about["cross_profile"]),
        project={m: parameters[f"project.{m}.weight"] for m in modalities},
        transfer={
            pair: parameters[f"{name}.weight"] for pair, name in _pairs(parameters, "transfer")
        },
        bridge={
            (a, b): Bridge(
                share=float(tensors[f"{name}.share"][0]),
                # Stored apart by versions before the last.
                target=tensors.get(f"{name}.target", domains[b].users[links[a, b][1]]),
                **{leaf: tensors[f"{name}.{leaf}"] for leaf in BRIDGE_ARRAYS},
            )
            for (a, b), name in _pairs(tensors, "bridge")
        },
        links=links,
        means={m: tensors[f"means.{m}"] for m in modalities},
        memory=tuple(
            _memory(stored, _regression(d, tensors))
            for d, stored in enumerate(about.get("memory") or [None] * len(domains))
        ),
        links_by_now=unpack_links(tensors, LINKS_BY_NOW) if version > VERSION else None,
        parameters=parameters,
        encoders={m: (dict(encoders[m]), _under(tensors, f"encoder.{m}.")) for m in modalities},
        personas=tuple(about["personas"]),
        n_parameters=int(about["n_parameters"]),
    )


def _memory(
    stored: Mapping[str, float] | None, regression: sparse.csr_matrix | None
) -> tuple[Constants, float, sparse.csr_matrix | None] | None:
    """A domain's memory but for its counts; None where it has none, or nothing to say."""
    values = {name: float(value) for name, value in (stored or {}).items()}
    weight = values.pop("weight", 0.0)
    adds = weight or values.get("newcomers") or values.get("everybody")
    return (Constants(**values), weight, regression) if adds else None


def _regression(d: int, tensors: Mapping[str, NDArray[Any]]) -> sparse.csr_matrix | None:
    place = f"{d}.regression"
    return _rows(tensors, place) if f"{place}.data" in tensors else None


def unpack_links(tensors: Mapping[str, NDArray[Any]], group: str = LINKS) -> Links:
    """Rows of the users that domains share."""
    return {
        pair: (
            tensors[f"{name}.source"].astype(np.int64),
            tensors[f"{name}.target"].astype(np.int64),
        )
        for pair, name in _pairs(tensors, group)
    }


def _pairs(tensors: Mapping[str, Any], group: str) -> list[tuple[tuple[int, int], str]]:
    """The pairs of domains that a group of tensors is about, and the beginning of their names."""
    names = {name.split(".")[1] for name in tensors if name.startswith(f"{group}.")}
    return [((int(n.split("-")[0]), int(n.split("-")[1])), f"{group}.{n}") for n in sorted(names)]


def _domains(
    parameters: Mapping[str, NDArray[Any]],
    tensors: Mapping[str, NDArray[Any]],
    about: Mapping[str, Any],
    ids: pd.DataFrame,
    links: Links,
) -> tuple[DomainPart, ...]:
    trains = [unpack_train(d, domain, tensors) for d, domain in enumerate(about["domains"])]
    features = [
        {m: unpack_features(f"{d}.{m}", tensors) for m in about["modalities"]}
        for d in range(len(trains))
    ]
    spaces = _spaces(tensors, trains, features, links if about["cross_profile"] else {})
    return tuple(
        _domain(
            d, domain, parameters, tensors, ids, trains[d],
            {m: _modality(f"{d}.{m}", tensors, x, spaces[d][m]) for m, x in features[d].items()},
        )
        for d, domain in enumerate(about["domains"])
    )  # fmt: skip


def _domain(
    d: int,
    about: Mapping[str, Any],
    parameters: Mapping[str, NDArray[Any]],
    tensors: Mapping[str, NDArray[Any]],
    ids: pd.DataFrame,
    train: sparse.csr_matrix,
    modalities: dict[str, ModalityArrays],
) -> DomainPart:
    own = _under(parameters, f"domains.{d}.")
    here = ids["domain"] == about["name"]
    users, items = ids[here & (ids["side"] == "user")], ids[here & (ids["side"] == "item")]
    for side, n in ((users, about["n_users"]), (items, about["n_items"])):
        if not len(set(side["id"].tolist())) == len(side) == int(n):
            raise ValueError(f"the ids of '{about['name']}' are not as many as its users and items")
    return DomainPart(
        name=str(about["name"]),
        label=str(about["label"] or about["name"]),
        user_ids=users["id"].to_numpy(dtype=object),
        item_ids=items["id"].to_numpy(dtype=object),
        titles=items["title"].to_numpy(dtype=object),
        train=train,
        user_templates=_padded(own["users"], len(users)),
        item_templates=_padded(own["items"], len(items)),
        any_user=own["any_user"],
        any_item=own["any_item"],
        refine=own["refine"].item(),
        own_template=own["own_template"].item() if "own_template" in own else 0.0,
        user_gate=GateArrays(**_under(own, "user_gate.")),
        item_gate=GateArrays(**_under(own, "item_gate.")),
        user_scaling=unpack_scaling(tensors, f"{d}.user_scaling"),
        item_scaling=unpack_scaling(tensors, f"{d}.item_scaling"),
        modalities=modalities,
        initial_users=tensors[f"{d}.initial_users"],
        users=tensors[f"{d}.users"],
        item_layers=tensors[f"{d}.item_layers"],
        later=unpack_train(d, about, tensors, "later") if f"{d}.later.indptr" in tensors else None,
        n_trained_items=about.get("n_trained_items"),
    )


def _padded(rows: Floats, n: int) -> Floats:
    """Templates [n, dim]: whoever came after training has none, which is a zero."""
    return rows if len(rows) == n else np.pad(rows, ((0, n - len(rows)), (0, 0)))


def unpack_train(
    d: int, about: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], which: str = "train"
) -> sparse.csr_matrix:
    """Interactions of a domain, of training or ``later``, binary CSR [n_users, n_items]."""
    indices, pointers = tensors[f"{d}.{which}.indices"], tensors[f"{d}.{which}.indptr"]
    return csr(np.ones(len(indices), np.float32), indices, pointers, int(about["n_items"]))


def _spaces(
    tensors: Mapping[str, NDArray[Any]],
    trains: Sequence[sparse.csr_matrix],
    features: Sequence[Mapping[str, FeatureMatrix]],
    crossing: Links,
) -> list[dict[str, Callable[[], Features]]]:
    """Of each domain, modality -> what gives its users' profiles.

    Where they are not stored, all are computed when the first is asked for.
    """
    stored = [{m: _space(f"{d}.{m}", tensors) for m in here} for d, here in enumerate(features)]
    lacking = [(d, m) for d, found in enumerate(stored) for m, x in found.items() if x is None]
    if not lacking:
        return [{m: partial(_given, x) for m, x in found.items()} for found in stored]
    if not are_quick(trains, features):
        d, m = lacking[0]
        raise ValueError(f"it lacks the tensor '{d}.{m}.user_space'")
    found = cache(lambda: user_spaces(trains, features, crossing))
    return [
        {m: partial(lambda d, m: found()[d][m], d, m) for m in here}
        for d, here in enumerate(features)
    ]


def _given(space: Features) -> Features:
    return space


def _space(place: str, tensors: Mapping[str, NDArray[Any]]) -> Features | None:
    """Profiles of the users of a domain in a modality; None where they are not stored."""
    name = f"{place}.user_space"
    if name in tensors:
        return tensors[name]
    return _rows(tensors, name) if f"{name}.data" in tensors else None


def _modality(
    place: str,
    tensors: Mapping[str, NDArray[Any]],
    features: FeatureMatrix,
    space: Callable[[], Features],
) -> ModalityArrays:
    """One modality of a domain, of ``{d}.{modality}``; ``space`` gives its users' profiles."""
    near = (unpack_neighbours(f"{place}.{side}_neighbours", tensors) for side in ("user", "item"))
    return ModalityArrays(features, space, *near)


def unpack_neighbours(name: str, tensors: Mapping[str, NDArray[Any]]) -> Neighbours:
    """Neighbours of the users or items of a domain in a modality."""
    rows = tensors[f"{name}.rows"].astype(np.int32, copy=False)
    return Neighbours(rows, tensors[f"{name}.similarity"])


def unpack_features(place: str, tensors: Mapping[str, NDArray[Any]]) -> FeatureMatrix:
    """Features of the items of a domain in a modality; ``place`` is ``{d}.{modality}``."""
    rows = _rows(tensors, f"{place}.sparse") if f"{place}.sparse.data" in tensors else None
    present = tensors[f"{place}.present"].astype(bool)
    return FeatureMatrix(tensors[f"{place}.dense"], rows, present)


def _rows(tensors: Mapping[str, NDArray[Any]], name: str) -> sparse.csr_matrix:
    data, indices, pointers = (tensors[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    return csr(data, indices, pointers, int(tensors[f"{name}.width"][0]))


def unpack_scaling(tensors: Mapping[str, NDArray[Any]], name: str) -> Scaling:
    """Mean and deviation of the signals of a gate."""
    mean: Floats = tensors[f"{name}.mean"]
    return Scaling(mean, tensors[f"{name}.std"])


def _under(tensors: Mapping[str, NDArray[Any]], prefix: str) -> Tensors:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
