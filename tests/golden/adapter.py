"""All that these tests know of the library's modules; change this file alone when they move.

Everything else goes through ``python -m micrec_core`` and the files of a run.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from micrec_core.errors import RunError as Refused

__all__ = ["Refused", "command", "ranked_lists", "recommender"]


def recommender(run: Path) -> Any:
    """What serves a run: ``user``, ``recommend``, ``explain``, ``new_item``, ``rank``, ``similar``,
    ``weights`` and ``domains``."""
    from micrec_core.runs import open_run
    from micrec_core.serving import Recommender

    return Recommender.open(open_run(run))


def ranked_lists(run: Path, dataset: Path) -> list[dict[str, Any]]:
    """The lists that a run's model, read from its parameters, answers every question with.

    Returns
    -------
    dicts of protocol, scope, domain, users (ids) and items (lists of ids, best first)
    """
    from micrec_core.answering.answers import answerer_of
    from micrec_core.data.progress import silent
    from micrec_core.running.evaluate import load_model, reopen
    from micrec_core.runs import open_run

    opened = open_run(run)
    prepared = reopen(opened, dataset, "cpu", silent, None)
    own = answerer_of(prepared, load_model(opened, prepared)).outcome(prepared.material.questions)
    out = []
    for answer in own.answers:
        asked = answer.question
        ids = prepared.dataset.domains[asked.place].item_ids
        lists = [[str(i) for i in ids[row[row >= 0]]] for row in np.asarray(answer.ranked)]
        users = [str(u) for u in asked.user_ids]
        where = {"protocol": asked.protocol, "scope": asked.scope, "domain": asked.domain}
        out.append(where | {"users": users, "items": lists})
    return out


def command(*words: object) -> Any:
    """Run ``python -m micrec_core`` in this process.

    Returns
    -------
    what ``--json`` prints, else the lines

    Raises
    ------
    AssertionError
        The command failed; with what it said.
    """
    said, told = io.StringIO(), io.StringIO()
    given = ["micrec_core", *(str(word) for word in words)]
    with (
        mock.patch.object(sys, "argv", given),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(told),
    ):
        try:
            runpy.run_module("micrec_core", run_name="__main__")
            code: Any = 0
        except SystemExit as end:
            code = end.code
    assert not code, f"{' '.join(given)}: exit code {code}: {told.getvalue()[-2000:]}"
    return json.loads(said.getvalue()) if "--json" in given else said.getvalue().splitlines()
