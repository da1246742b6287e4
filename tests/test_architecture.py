"""The rules of the code base that a machine can hold."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "micrec_core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
OWN = [ROOT / "app.py", *CORE, *PAGES]

MAX_PAGE_LINES = 120
MAX_FUNCTION_LINES = 60
# Readers that run whatever code a file carries.
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and module of every import, those inside of functions too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Yield every call with the name that is called, dotted."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def keyword(call: ast.Call, wanted: str) -> object:
    """Return a call's literal keyword argument, or None."""
    for given in call.keywords:
        if given.arg == wanted and isinstance(given.value, ast.Constant):
            return given.value.value
    return None


def test_imports_point_downwards() -> None:
    linter = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_streamlit_stays_in_ui_and_pages() -> None:
    found = [
        f"{name(path)}:{line}"
        for path in CORE
        if not path.is_relative_to(ROOT / "micrec_core" / "ui")
        for line, module in imports(path)
        if module.split(".")[0] == "streamlit"
    ]
    assert not found


def test_pages_reach_the_core_only_through_its_upper_layers() -> None:
    lower = {
        "method",
        "baselines",
        "graphs",
        "cli",
        "answering",
        "running",
        "comparing",
        "__main__",
    }
    found = [
        f"{name(path)}:{line} imports {module}"
        for path in PAGES
        for line, module in imports(path)
        if module.startswith("micrec_core.") and module.split(".")[1] in lower
    ]
    assert not found


def test_figures_and_the_registry_of_modalities_are_light() -> None:
    """A page draws before the model is loaded: no encoder, no data and no torch by then."""
    figures = [p.stem for p in CORE if p.parent.name == "figures" and p.stem != "__init__"]
    heavy = ("torch", "sklearn", "open_clip", "sentence_transformers", "micrec_core.data")
    words = "".join(f"import micrec_core.figures.{name}\n" for name in figures)
    words += f"import sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_umap_is_never_on_a_pages_path() -> None:
    """Its first import and fit cost 20 to 60 seconds: layouts are computed when a run is made."""
    above = ("ui", "figures", "serving", "runs")
    found = [
        f"{name(path)}:{line}"
        for path in [*PAGES, *CORE]
        if path in PAGES or path.relative_to(ROOT / "micrec_core").parts[0] in above
        for line, module in imports(path)
        if module.split(".")[0] == "umap"
    ]
    assert not found


def test_nothing_is_unpickled() -> None:
    found = []
    for path in OWN:
        found += [
            f"{name(path)}:{line} imports {module}"
            for line, module in imports(path)
            if module.split(".")[0] in UNSAFE_MODULES
        ]
        for call, called in calls(path):
            if called == "torch.load" and keyword(call, "weights_only") is not True:
                found.append(f"{name(path)}:{call.lineno} torch.load without weights_only=True")
            if called.endswith("read_pickle") or keyword(call, "allow_pickle") is True:
                found.append(f"{name(path)}:{call.lineno} {called} may unpickle")
            if called in ("eval", "exec", "__import__", "importlib.import_module"):
                found.append(f"{name(path)}:{call.lineno} {called} runs what a string says")
    assert not found


def test_item_text_is_never_html() -> None:
    found = [
        f"{name(path)}:{call.lineno}"
        for path in OWN
        for call, _ in calls(path)
        if keyword(call, "unsafe_allow_html") is True
    ]
    assert not found


def test_command_lines_are_parsed_in_cli_alone() -> None:
    found = [
        f"{name(path)}:{line} imports {module}"
        for path in [*CORE, *PAGES]
        if not path.is_relative_to(ROOT / "micrec_core" / "cli")
        for line, module in imports(path)
        if module.split(".")[0] in ("typer", "click", "argparse")
    ]
    assert not found


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_are_short(path: Path) -> None:
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length < MAX_PAGE_LINES, f"{name(path)} has {length} lines"


def test_functions_are_short() -> None:
    """Counted without the docstring: saying what a function does is no fault of its length."""
    found = []
    for path in OWN:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first, *_ = node.body
                length = (node.end_lineno or 0) - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    length -= (first.end_lineno or 0) - first.lineno + 1
                if length >= MAX_FUNCTION_LINES:
                    found.append(f"{name(path)}:{node.lineno} {node.name}: {length} lines")
    assert not found


def test_modules_say_what_they_are() -> None:
    found = []
    for path in CORE:
        said = ast.get_docstring(tree(path)) or ""
        if len(said) < 15 or re.search(r"\b(TBD|TODO|FIXME)\b", said):
            found.append(name(path))
    assert not found


def test_every_test_folder_mirrors_a_package() -> None:
    packages = {path.parent.name for path in CORE} | {"pages", "journeys", "golden", "tests"}
    folders = {path.parent.name for path in TESTS}
    assert folders <= packages


def test_files_of_one_name_mean_the_same() -> None:
    """What a page shows, draws and measures; a benchmark of a module; a room's registry, schema;
    an operator and its kernel."""
    shown = {path.name for path in PAGES}
    same = {"__init__.py", "neighbours.py", "propagation.py", "ranking.py"}
    same |= {"preparing.py", "registry.py", "schema.py", "aggregation.py", "gathering.py"}
    counts = Counter(path.name for path in OWN)
    assert {file for file, n in counts.items() if n > 1} <= same | shown


def test_components_are_small_and_their_lock_names_no_address() -> None:
    folder = ROOT / "micrec_core" / "ui" / "components"
    own = [*folder.glob("*.js"), *(p for p in (folder / "maps").glob("*.js") if p.stem != "built")]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in own)
    assert 0 < lines < 600
    assert "://" not in (folder / "maps" / "package-lock.json").read_text(encoding="utf-8")


def test_components_use_what_they_are_given_as_its_types_say() -> None:
    maps = ROOT / "micrec_core" / "ui" / "components" / "maps"
    checker = maps / "node_modules" / "typescript" / "bin" / "tsc"
    node = shutil.which("node", path=f"{os.environ.get('PATH', '')}:{Path(sys.executable).parent}")
    if node is None or not checker.exists():
        pytest.skip("TypeScript is not installed: `make maps` does, where npm is at hand")
    command = [node, str(checker), "--noEmit", "-p", str(maps.parent / "jsconfig.json")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
