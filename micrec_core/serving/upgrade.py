"""Serving bundles of versions 1 to 3, which held the parameters and no embedding.

They are read as they are on disk: their arrays make up the model and its inputs again, and the
model's own forward pass gives what later versions store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray

from micrec_core.method.inductive import encode_by_source
from micrec_core.method.inputs import model_inputs
from micrec_core.method.knowledge import DomainKnowledge, Knowledge, NeighbourSettings
from micrec_core.method.micrec import MICRec, Settings
from micrec_core.method.profiles import joint_sums, own_sums
from micrec_core.runs.served import parse_about
from micrec_core.serving.bundle import (
    numpy_of,
    pack_embeddings,
    unpack_features,
    unpack_links,
    unpack_neighbours,
    unpack_scaling,
    unpack_train,
)
from micrec_core.serving.tensors import data_schema, embedding_schema

Arrays = Mapping[str, NDArray[Any]]


def upgraded(
    tensors: Arrays, about: Mapping[str, Any]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Parameters and tensors as ``bundle.unpack`` takes them, from those of an earlier version."""
    inputs = model_inputs(_knowledge(tensors, about))
    model = _model(tensors, about)
    made = pack_embeddings(encode_by_source(model, inputs))
    parameters = {name: numpy_of(value) for name, value in model.state_dict().items()}
    today, told = dict(tensors) | made, parse_about(about)
    known = data_schema(told, today.keys()) | embedding_schema(told, today.keys())
    return parameters, {name: today[name] for name in today if name in known}


def _model(tensors: Arrays, about: Mapping[str, Any]) -> MICRec:
    """The model; of what a version did not know it has nothing."""
    modalities = tuple(about["modalities"])
    crossing = any(name.startswith(("transfer.", "bridge.")) for name in tensors)
    settings = Settings(
        dim=tensors["0.users"].shape[1],
        layers=int(about["layers"]),
        templates=bool(about["templates"]),
        modalities=modalities,
        transfer=crossing,
        own_template="0.echo" in tensors,
        memory=False,
    )
    sizes = [(int(d["n_users"]), int(d["n_items"])) for d in about["domains"]]
    widths = {m: tensors[f"project.{m}.weight"].shape[1] for m in modalities}
    model = MICRec(sizes, widths, settings)
    state = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    state["alpha"] = torch.tensor(float(tensors["alpha"][0]))
    for name, value in tensors.items():
        here = name if name.startswith(("project.", "transfer.")) else f"domains.{name}"
        here = here.replace(".echo", ".own_template")
        if here in state:
            state[here] = torch.from_numpy(value.reshape(state[here].shape))
    model.load_state_dict(state)
    return model


def _knowledge(tensors: Arrays, about: Mapping[str, Any]) -> Knowledge:
    modalities, links = tuple(about["modalities"]), unpack_links(tensors)
    trains = [unpack_train(d, of, tensors) for d, of in enumerate(about["domains"])]
    features = [
        {m: unpack_features(f"{d}.{m}", tensors) for m in modalities} for d in range(len(trains))
    ]
    own = [
        {
            # What neighbours were found by was looked at in training alone; coherence is stored.
            m: replace(
                own_sums(train, replace(x, sparse=None)),
                statistics=tensors[f"{d}.coherence"][:, place, None],
            )
            for place, (m, x) in enumerate(features[d].items())
        }
        for d, train in enumerate(trains)
    ]
    crossing = links if about["cross_profile"] else {}
    domains = []
    for d, train in enumerate(trains):
        near = {
            side: {m: unpack_neighbours(f"{d}.{m}.{side}_neighbours", tensors) for m in modalities}
            for side in ("user", "item")
        }
        domains.append(
            DomainKnowledge(
                train=train,
                features=features[d],
                profiles={m: joint_sums(own, crossing, d, m).profiles() for m in modalities},
                user_neighbours=near["user"],
                item_neighbours=near["item"],
                user_scaling=unpack_scaling(tensors, f"{d}.user_scaling"),
                item_scaling=unpack_scaling(tensors, f"{d}.item_scaling"),
            )
        )
    said = about["neighbours"]
    settings = NeighbourSettings(
        int(said["k"]), float(said["temperature"]), bool(about["cross_profile"])
    )
    return Knowledge(tuple(domains), links, modalities, settings)
