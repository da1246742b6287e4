from micrec_core.bundled import SAMPLE_RUN
from micrec_core.names import WEIGHTS
from micrec_core.running.weights import ENTITIES_SHOWN, shown_of
from micrec_core.runs import open_run


def test_fewer_are_shown_of_whom_very_many_are_ranked() -> None:
    assert [shown_of(n) for n in (0, 1, 53_687)] == [ENTITIES_SHOWN] * 3
    assert shown_of(53_688) < ENTITIES_SHOWN
    assert (shown_of(820_000), shown_of(10**9)) == (1309, 1000)


def test_everyone_of_a_small_run_is_shown() -> None:
    """But users without train interactions, of whom nothing was weighed."""
    run = open_run(SAMPLE_RUN)
    shown = run.frame(WEIGHTS).groupby(["domain", "entity"], observed=True).size()
    assert run.info.dataset is not None
    for domain in run.info.dataset.domains:
        assert shown[domain.name, "item"] == domain.n_items
        assert 0 < shown[domain.name, "user"] <= domain.n_users
