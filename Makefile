# Two commands do all the set-up: `make demo` and `make test`.

PYTHON ?= python3
# The CPU build. For a GPU: make TORCH=torch==2.13.0 demo
TORCH ?= torch==2.13.0$(if $(filter Linux,$(shell uname -s)),+cpu)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Versions as they were tested last. Without them: make newest
CONSTRAINTS ?= --constraint constraints.txt
# A worker takes about 1.5 GB. Each keeps whole files, so that what a file prepares is made once.
WORKERS ?= 2
PYTEST := -m pytest -n $(WORKERS) --dist loadfile
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE ?= 1
# Containers often forbid Python to keep what it compiles. The tests start hundreds of processes, and
# each would compile torch and transformers again, for seven seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-browser test-all test-readers audit audit-all package pins release docs properties mutants soak \
	lowest newest versions check format bench-% clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	# Not compiled: Python does this itself for what is imported, which is a tenth of it.
	$(BIN)/pip install --quiet --no-compile --retries 1 --extra-index-url $(TORCH_INDEX) "$(TORCH)"
	$(BIN)/pip install --quiet --no-compile $(CONSTRAINTS) --editable '.[dev]'
	# An oracle of the tests. It asks for OpenCV, which nothing that we compare with it uses, and
	# with which supervision would draw otherwise than for our users.
	$(BIN)/pip install --quiet --no-deps pysodmetrics==1.6.2
	# A part of jsonschema that cyclonedx-bom asks for: every process of Ray takes a second to import it.
	$(BIN)/pip uninstall --quiet --yes rfc3987-syntax
	touch $@

demo: $(VENV)/ready ## Find the objects in the demo photos, offline
	$(BIN)/heap discover demo/photos --out runs/demo

# Whole commands that are killed, fuzzed or fed what went wrong once, processes that are started in
# every way, and the pages of the docs.
# Longest first: workers take whole files, and none waits for the other at the end.
LONG := tests/integration/test_ray.py tests/faults/accidents $(wildcard tests/faults/test_fuzz_*.py) \
	tests/faults/test_kills.py tests/faults/test_evaluate_kills.py \
	tests/unit/store/test_killed_corrections.py tests/integration/test_bare_pretraining.py \
	tests/integration/test_several_devices.py \
	tests/integration/test_bench_encoders.py tests/integration/test_bench_paper.py \
	tests/integration/test_tutorial.py tests/integration/test_python.py \
	tests/integration/test_start.py tests/integration/test_moved_models.py \
	tests/integration/test_no_network.py

test: check ## Format, lint, types and tests, but for the long ones
	$(BIN)/python $(PYTEST) $(addprefix --ignore=,$(LONG))

test-long: $(VENV)/ready ## Kills, fuzzers, accidents of earlier versions, tutorials; CI runs them too
	$(BIN)/python $(PYTEST) --no-loadscope-reorder $(LONG)

test-browser: $(VENV)/ready ## Gallery and application in a real Chromium; makes pictures of docs
	$(BIN)/python $(PYTEST) tests/browser

# One start of all workers instead of three, and a worker more, for killed commands wait most of the
# time. Longest first here, too: the files of `test-long` are in the first two folders. Not those in a
# browser: what drives it keeps a loop running in its process, which tests of the server refuse.
test-all: check ## All of `test`, `test-long` and `audit` in one go, as CI does
	$(BIN)/python -m pytest -n $$(($(WORKERS) + 1)) --dist loadfile --no-loadscope-reorder \
		tests/integration tests/faults tests/audit tests/unit tests/oracle

READERS := .venv-readers
# Tools of others that take our exports; they want OpenCV, and versions of packages of their own.
$(READERS)/ready: Makefile
	$(PYTHON) -m venv $(READERS)
	$(READERS)/bin/pip install --quiet datumaro==1.13.12 label-studio-sdk==2.1.2
	touch $@

test-readers: $(VENV)/ready $(READERS)/ready ## Exports, read by the tools of others
	$(BIN)/python -m pytest tests/readers

audit: $(VENV)/ready ## Score committed results again that this branch has changed, or their code
	$(BIN)/python $(PYTEST) tests/audit

audit-all: $(VENV)/ready ## Score them all, and note the commit: on the main line CI scores what differs from it
	test -z "$$(git status --porcelain)"
	HEAP_AUDIT_BASE=nothing $(BIN)/python $(PYTEST) tests/audit
	git rev-parse HEAD > .ci/audited

package: $(VENV)/ready ## Wheel and sdist: the same bytes twice, and of use without the checkout
	$(BIN)/python -m pytest tests/package

pins: $(VENV)/ready ## Take the versions that are installed, after `make test`, for those of CI
	(sed '/^[^#]/d' constraints.txt; $(BIN)/pip freeze --exclude-editable | \
		grep -Ev '^(torch|pysodmetrics)==') > constraints.new
	mv constraints.new constraints.txt

RELEASE := .venv-release
release: $(VENV)/ready ## Wheel, sdist, and the parts of a fresh installation (SBOM, CycloneDX), in dist
	rm -rf dist $(RELEASE)
	SOURCE_DATE_EPOCH=1700000000 $(BIN)/python -m hatchling build --directory dist
	$(PYTHON) -m venv --without-pip $(RELEASE)
	$(BIN)/pip --python $(RELEASE)/bin/python install --quiet --retries 1 \
		--extra-index-url $(TORCH_INDEX) "$(TORCH)"
	$(BIN)/pip --python $(RELEASE)/bin/python install --quiet $(CONSTRAINTS) \
		"$$(ls $$PWD/dist/*.whl)[eval,heic,ray,s3,serve]"
	$(BIN)/cyclonedx-py environment $(RELEASE)/bin/python --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file dist/sbom.cdx.json

docs: $(VENV)/ready ## The site of the documentation, in build/site; any broken link fails it
	$(BIN)/python tools/reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

properties: $(VENV)/ready ## Ten times as many examples of every property, 100 of every fuzzer; takes hours
	HEAP_SOAK=10 FUZZ_EXAMPLES=100 $(BIN)/python $(PYTEST)

mutants: $(VENV)/ready ## Plant 200 faults, one at a time, and see which the tests catch; takes an hour
	nice $(BIN)/python tools/mutants.py

check: $(VENV)/ready ## Format, lint and types
	$(BIN)/python tools/no_heavy_dependencies.py
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/ready ## Format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-%: $(VENV)/ready ## Run a benchmark, see benchmarks/README.md
	$(BIN)/python -m benchmarks $*

soak: $(VENV)/ready ## Kills, an hour of fuzzing, many clients; goes on where it was stopped
	$(BIN)/python -m benchmarks soak

LOWEST := .venv-lowest
NEWEST := .venv-newest
# What is tested with these versions; .ci/run takes less.
TESTS ?= tests/unit

# An environment $(1) without the pins, by uv, which does in a minute what takes pip ten. Only pip
# looks for torch where it lies on this disk; uv leaves the one that is installed.
define unpinned
	$(PYTHON) -m venv $(1)
	$(1)/bin/pip install --quiet uv
	$(1)/bin/pip install --quiet --retries 1 --extra-index-url $(TORCH_INDEX) "$(TORCH)"
	echo "$(firstword $(subst +, ,$(TORCH)))" > $(1)/torch.txt
endef

lowest: ## Unit tests with the lowest versions that pyproject.toml allows; torch stays as it is
	$(call unpinned,$(LOWEST))
	# Of what users install. Tools of the tests are as new as these let them be.
	$(LOWEST)/bin/uv pip compile --quiet --resolution lowest-direct --override $(LOWEST)/torch.txt \
		--no-emit-package torch --extra eval --extra heic --extra onnx --extra openvino \
		--extra ray --extra s3 --extra serve pyproject.toml --output-file $(LOWEST)/lowest.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python \
		--override $(LOWEST)/torch.txt --constraint $(LOWEST)/lowest.txt --editable '.[dev]'
	$(LOWEST)/bin/pip install --quiet --no-deps pysodmetrics==1.6.2
	$(LOWEST)/bin/python $(PYTEST) $(TESTS)

newest: ## Unit tests with the newest versions instead of those of constraints.txt; torch stays
	$(call unpinned,$(NEWEST))
	$(NEWEST)/bin/uv pip install --quiet --python $(NEWEST)/bin/python \
		--override $(NEWEST)/torch.txt --editable '.[dev]'
	$(NEWEST)/bin/pip install --quiet --no-deps pysodmetrics==1.6.2
	$(NEWEST)/bin/python $(PYTEST) $(TESTS)

versions: lowest newest ## Both, and note for which files; CI repeats a short form if these change
	sha256sum pyproject.toml constraints.txt > .ci/versions.sha256

clean: ## Remove what was made here
	rm -rf $(VENV) $(LOWEST) $(NEWEST) $(READERS) $(RELEASE) runs build dist
