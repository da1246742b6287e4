import streamlit as st

from micrec_core.errors import MicrecError
from micrec_core.ui import access, beside_run, retrain
from micrec_core.ui.navigation import link
from micrec_core.ui.sidebar import opened_or_none
from micrec_core.ui.widgets import empty, fragment, page_head, plain, problem, say

page_head(
    "retrain",
    "Train a model in the background and watch it learn. One training runs at a time on this "
    "server and others wait; it goes on when you close the page, and its result is a candidate "
    "until you use it.",
)
this = opened_or_none()
owner = access.owner()


def settings() -> None:
    choices = retrain.dataset_choices()
    if not choices:
        empty(
            "No dataset to train on",
            "Check your own tables on the Data page, or make the sample data:",
            "python -m micrec_core sample --out sample_data",
            see="data",
        )
        return
    wanted = retrain.choose_settings(choices)
    interactions = retrain.size(wanted.dataset).interactions
    too_many = retrain.say_too_many(wanted.dataset)
    said, seconds = retrain.estimate(this, interactions, wanted.epochs)
    st.caption(plain(f"{interactions:,} interactions. {said} {retrain.caps()}"))
    if retrain.MAX_MINUTES and seconds > 60 * retrain.MAX_MINUTES:
        st.warning("It may be ended before it is done: ask for fewer epochs.")
    st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        disabled=too_many,
        on_click=retrain.act,
        args=("start", wanted.arguments(), owner, wanted.name or None),
    )


def show_job() -> None:
    job = retrain.manager().current(owner)
    if job is None:
        st.rerun()
    mine = job.owner == owner
    if job.running:
        what = "is being trained" if job.kind == "train" else "is being compared"
        state = "is stopping" if job.cancelling else what
        st.markdown(f"**{plain(job.name)}** {state}" + ("" if mine else ", by another visitor"))
        if mine:
            st.button("Cancel", icon=":material/stop:", on_click=retrain.act,
                      args=("cancel", owner), disabled=job.cancelling)  # fmt: skip
        else:
            st.caption("You can watch; only who started it can cancel it. Yours would wait.")
    elif job.waiting:
        st.markdown(f"**{plain(job.name)}** {retrain.waiting(job)}")
        st.button("Cancel", icon=":material/stop:", on_click=retrain.act, args=("cancel", owner))
        return
    elif st.session_state.get("rt_was_running"):
        st.session_state["rt_was_running"] = False
        st.rerun()
    else:
        retrain.outcome(job)
        made = job.state == "complete" and job.kind == "train"
        if made:
            retrain.compare(job, this)
        if mine:
            with st.container(horizontal=True):
                if made:
                    st.button("Use this run", type="primary", icon=":material/check:",
                              on_click=retrain.act, args=("accept", owner))  # fmt: skip
                st.button("Close" if job.kind == "compare" else "Discard", icon=":material/delete:",
                          on_click=retrain.act, args=("discard", owner))  # fmt: skip
    retrain.progress(job)
    with st.expander("What it printed", icon=":material/terminal:"):
        st.code(retrain.manager().log_tail(owner=owner) or "nothing yet", language=None, height=220)


def show_curves() -> None:
    job = retrain.manager().current(owner)
    if job is not None and not job.waiting and job.kind == "train":
        retrain.curves(job, this)


try:
    say("retrain")
    refusal = st.session_state.pop("rt_refusal", None)
    if refusal:
        problem(refusal)
    current = retrain.manager().current(owner)
    running = current is not None and not current.ended
    st.session_state["rt_was_running"] = running
    if current is not None:
        fragment(show_job, run_every="1s" if running else None)()
        # On a clock of their own: drawing charts must not delay the button that stops it all.
        fragment(show_curves, run_every="3s" if running else None)()
    if current is None or current.ended or current.owner != owner:
        st.header("New training", anchor=False)
        settings()
        link("data", "Use your own tables")
        beside_run.settings(this, retrain.dataset_choices(), owner)
except MicrecError as error:
    problem(str(error))
