"""A finished run in MLflow, as MLflow itself keeps it, or as a stand-in for it is told."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from micrec_core.bundled import SAMPLE_RUN
from micrec_core.cli import main
from micrec_core.names import SUMMARY
from micrec_core.report.tracking import figures
from micrec_core.runs import open_run


class Client:
    """Takes what MLflow's client takes, within MLflow's own limits."""

    def __init__(self, tracking_uri):
        self.store, self.batches, self.texts, self.ended = tracking_uri, [], {}, False
        Client.last = self

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name):
        return f"id of {name}"

    def create_run(self, experiment_id, run_name=None, tags=None):
        self.run = (experiment_id, run_name, tags)
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def log_batch(self, run_id, metrics=(), params=()):
        assert run_id == "r1" and len(metrics) <= 1000 and len(params) <= 100
        assert not set("@:()") & set("".join(one[0] for one in (*metrics, *params)))
        self.batches += [*metrics, *params]

    def log_text(self, run_id, text, artifact_file):
        self.texts[artifact_file] = text

    def log_artifacts(self, run_id, local_dir, artifact_path=None):
        self.artifacts = (local_dir, artifact_path)

    def set_terminated(self, run_id):
        self.ended = True


@pytest.fixture
def stand_in(monkeypatch):
    module, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    module.MlflowClient = Client
    entities.Metric = lambda name, value, when, step: (name, value, step)
    entities.Param = lambda name, value: (name, value)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)


def test_all_of_a_run_is_told(stand_in, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["log-mlflow", str(SAMPLE_RUN), "--experiment", "shop"]) == 0
    assert "logged as r1 of 'shop'" in capsys.readouterr().out
    told, run = Client.last, open_run(SAMPLE_RUN)
    assert told.store == (tmp_path / "mlruns").as_uri() and told.ended
    experiment, name, tags = told.run
    assert (experiment, name, tags["micrec.key"]) == ("id of shop", "sample", run.key)
    numbers = {(b[0], b[2]): b[1] for b in told.batches if len(b) == 3}
    summary = run.frame(SUMMARY)
    for row in summary[summary["model"] == run.info.model].to_dict("records"):
        name = "/".join(str(row[c]) for c in ("protocol", "domain", "cohort", "metric"))
        name = name.replace("@", "_at_")
        assert numbers[f"{name}/mean", 0] == row["mean"] and numbers[f"{name}/low", 0] == row["low"]
    epochs = {step for name, step in numbers if name.startswith("epochs/")}
    assert epochs == set(run.history()["epoch"])
    assert {b[0] for b in told.batches if len(b) == 2} >= {"seed", "split"}
    assert told.texts["report.html"].startswith("<!doctype html>")
    assert told.artifacts == (str(run.path), "run")


def test_without_mlflow_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert main(["log-mlflow", str(SAMPLE_RUN)]) == 2
    assert "micrec-explorer[mlflow]" in capsys.readouterr().err


def test_mlflow_itself_keeps_it(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    store = (tmp_path / "mlruns").as_uri()
    assert main(["log-mlflow", str(SAMPLE_RUN), "--store", store]) == 0
    client = mlflow.MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("micrec")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.data.metrics["known/food/all/ndcg_at_20/mean"] > 0
    assert {a.path for a in client.list_artifacts(found.info.run_id)} == {"report.html", "run"}


def test_no_name_of_a_figure_is_the_folder_of_another():
    """MLflow keeps a figure in a file called as it is."""
    names = {name for name, _, _ in figures(open_run(SAMPLE_RUN))}
    assert not {a for a in names for b in names if b.startswith(f"{a}/")}
