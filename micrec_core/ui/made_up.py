"""What a made-up user gets: cards per domain, simpler models beside them, steps, the proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from micrec_core.data.schema import counted
from micrec_core.errors import MicrecError, RunError
from micrec_core.figures.recommendations import rank_moves, reasons, sources
from micrec_core.names import model_label
from micrec_core.serving.by_likes import by_likes_file
from micrec_core.serving.lists import cost_of_rules
from micrec_core.ui import serve
from micrec_core.ui.cards import gallery, legend, recommendation_cards
from micrec_core.ui.components import announce
from micrec_core.ui.fold_in import show_flow
from micrec_core.ui.left_out import without
from micrec_core.ui.library import Opened, listings, open_listed
from micrec_core.ui.rules import Rules, left_out
from micrec_core.ui.state import TOOK_BACK, session
from micrec_core.ui.widgets import (
    cells,
    chart,
    choose_domain,
    filled,
    fragment,
    plain,
    problem,
    show_table,
)

KINDS = {
    "hot": "in the training data",
    "warm": "not in training, but with something to go by here",
    "cold": "nothing known here, so it all comes from elsewhere",
}
LIGHTGCN = "lightgcn"


def show_lists(
    opened: Opened, k: int, off: tuple[str, ...] = (), rules: Rules | None = None
) -> Any:
    """Cards in both domains with the moves since the last change; returns the user.

    ``off`` : what is left out of the model, ``rules`` what of the shop's items; moves are then
    against the whole model's lists of all items
    """
    model = serve.recommender(opened)
    user = serve.made_up_user(model, session().made)
    found, changed = {}, False
    meaning = st.container()
    columns = filled(len(opened.labels), 250, "cold_lists")
    for column, domain in zip(columns, opened.labels, strict=True):
        with column:
            st.header(plain(opened.labels[domain]), anchor=False)
            try:
                answer = model.recommend(user, domain, k=k)
                ids = [str(i) for i in answer.items["item_id"]]
                # A list of another length is another list: only the user's changes move places.
                before = session().made.before(f"{domain} {k}", ids)
                moves = rank_moves(before, ids) if before else None
                free = answer.items
                never = left_out(opened, domain, rules or Rules())
                parts = without(opened, domain, off)
                if never or parts:
                    changed = True
                    answer = model.recommend(user, domain, k=k, exclude=never, without=parts)
                    moves = rank_moves(ids, [str(i) for i in answer.items["item_id"]])
            except MicrecError as error:
                problem(str(error))
                continue
            about = plain(answer.note) or KINDS.get(answer.kind, "")
            st.caption(f"**{answer.kind}**: {about} · {answer.milliseconds:.0f} ms")
            if never:
                # The cost is of the rules alone, whatever is left out of the model.
                ruled = model.recommend(user, domain, k=k, exclude=never) if parts else answer
                _cost(len(never), free, ruled.items)
            recommendation_cards(opened, domain, answer.items, moves)
            found[domain] = answer.items
    if found:
        with meaning:
            legend(sources(pd.concat(found.values())))
        whole = "beside the whole model's lists of all items"
        other = whole if changed else "since your last change"
        st.caption(
            "The bar's parts add up to the score exactly (they are shown rounded); pale parts to "
            f"the left count against the item. Places that moved {other} are marked."
        )
    _announce(opened, found)
    _tables(opened, found)
    return user


def _cost(n: int, free: pd.DataFrame, ruled: pd.DataFrame) -> None:
    lost = cost_of_rules(free, ruled)
    st.caption(
        f":material/rule: The rules leave out {counted(n, 'item')} and cost **{lost:.1%}** of "
        "NDCG in the model's own eyes (its scores as gains)."
    )


def _announce(opened: Opened, found: dict[str, pd.DataFrame]) -> None:
    """The new lists' heads for who cannot see them; the next like has the focus of one gone."""
    heads = [
        f"{opened.labels[d]}: {', '.join(items['title'].head(3))}" for d, items in found.items()
    ]
    took_back = st.session_state.pop(TOOK_BACK, False)
    next_like = '[class*="st-key-cold_remove_"] button'
    announce("New lists. " + ". ".join(heads), next_like if took_back else "")


def _tables(opened: Opened, found: dict[str, pd.DataFrame]) -> None:
    for domain, items in found.items():
        box = st.expander(
            f"Reasons in {plain(opened.labels[domain])} as a chart",
            icon=":material/bar_chart:",
            key=f"cold_reasons_{domain}",
            on_change="rerun",
        )
        if box.open:
            with box:
                chart(
                    reasons(items),
                    items,
                    f"cold_parts_{domain}",
                    alt="Parts of each score by source as stacked bars",
                )


@fragment
def beside_simpler(opened: Opened, user: Any, k: int, changed: bool) -> None:
    """What other models list for the same person in one domain, or why they cannot.

    ``changed`` : something is left out of the lists above, and so not of these
    """
    if changed:
        st.caption("The whole model and all items here: neither switches nor rules of the shop.")
    model = serve.recommender(opened)
    domain = choose_domain(opened.labels, "cold_beside", opened.pair[-1])
    lists: dict[str, Callable[[], pd.DataFrame]] = {
        "MICRec": lambda: model.recommend(user, domain, k=k).items,
        "Popularity": lambda: model.baselines.popular(domain, k),
        "Content only": lambda: model.baselines.content_only(user, domain, k),
        "Taken together (BM25)": lambda: model.baselines.bought_together(user, domain, k),
        "LightGCN": lambda: _of_lightgcn(opened, user, domain, k),
        "BPR-MF": _nobodys_vector,
    }
    for column, (name, make) in zip(cells(len(lists), 196, most=3), lists.items(), strict=True):
        with column:
            st.markdown(f"**{name}**")
            try:
                gallery(opened, domain, make())
            except MicrecError as error:
                # A model that has nothing to go by is no fault of the run.
                with st.container(border=True):
                    st.markdown(f":material/block: **No list:** {plain(error)}.")


def _of_lightgcn(opened: Opened, user: Any, domain: str, k: int) -> pd.DataFrame:
    """By what the run keeps of it, else by a run of its own."""
    if opened.run.has(by_likes_file(LIGHTGCN)):
        return serve.recommender(opened).baselines.by_likes(LIGHTGCN, user, domain, k)
    return _of_another_run(opened, LIGHTGCN, domain, k)


def _of_another_run(opened: Opened, name: str, domain: str, k: int) -> pd.DataFrame:
    """The list of a run of another model on the same data.

    Raises
    ------
    RunError
        There is none, which says nothing of what the model could do.
    """
    for listing in listings().values():
        info = listing.info
        if listing.problem or info is None or info.model != name or info.dataset is None:
            continue
        if info.dataset.fingerprint == opened.info["dataset"]["fingerprint"]:
            other = serve.recommender(open_listed(listing))
            user = serve.made_up_user(other, session().made)
            return other.recommend(user, domain, k=k).items
    label = model_label(name)
    raise RunError(
        f"{label} can list for someone new, by the vectors of what was liked, and this run keeps "
        "none of them. For its list: compare with it on the Retrain page, or train with "
        f"--model {name}"
    )


def _nobodys_vector() -> pd.DataFrame:
    raise RunError(
        "matrix factorisation trained by gradient owns a vector per user, and someone new has none "
        "until it is trained again"
    )


@fragment
def steps(opened: Opened, user: Any) -> None:
    """The computation one step at a time, for teaching."""
    model = serve.recommender(opened)
    domain = choose_domain(opened.labels, "cold_steps_domain", opened.pair[0])
    show_flow(opened, user, domain)
    cards = model.steps(user, domain)
    place = 1
    if len(cards) > 1:
        place = st.slider("Step", 1, len(cards), 1, key="cold_step", bind="query-params")
    for number, step in enumerate(cards[:place], start=1):
        with st.container(border=True):
            st.markdown(f"**{number}. {plain(step.title)}**")
            st.markdown(plain(step.text))
            if step.table is not None and len(step.table):
                show_table(step.table)


def proof(opened: Opened, who: str = "user") -> None:
    """That answering changed nothing: the parameters' hash before and after.

    ``who`` : what was made up
    """
    model = serve.recommender(opened)
    same = model.parameter_hash() == serve.hash_at_opening(opened)
    changed = 0 if same else "some"
    st.markdown(
        f":material/verified: **{changed} of {model.n_parameters:,} parameters changed** by this "
        f"{who}: the vectors were computed, not trained.",
        help=f"SHA-256 of all parameters: `{model.parameter_hash()[:16]}…`, the same as on opening."
        if same
        else None,
    )
