# Two commands, from a fresh clone with Python 3.10 to 3.13: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# PyTorch's own index has builds without CUDA; where it cannot be reached, PyPI's build is taken.
TORCH := --retries 1 --timeout 30 --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0
# One process more than there are cores: some tests wait for most of their time.
PARALLEL := --numprocesses $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)') --dist worksteal
FAMILIES := $(VENV)/families/0.0.3 $(VENV)/families/0.0.7

.PHONY: demo test test-full lint clean

demo: $(VENV)/ready
	rm -rf cpgpt-doctor-demo
	HF_HUB_OFFLINE=1 $(BIN)/cpgpt-doctor check --num-workers 0
	$(BIN)/cpgpt-doctor run-embed --demo

test: $(VENV)/ready $(FAMILIES) lint
	$(BIN)/python -m pytest $(PARALLEL)

test-full: $(VENV)/ready $(FAMILIES) lint
	$(BIN)/python -m pytest $(PARALLEL) -m "full or not full"

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) cpgpt-doctor-demo

$(VENV)/ready: pyproject.toml tests/patient-requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else \
	"CpGPT needs Python 3.10 to 3.13, and $(PYTHON) is %d.%d; say: make PYTHON=python3.11" % v)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps CpGPT==0.0.13
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/patient-requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Another CpGPT over the same torch: its own site-packages come first, those of $(VENV) after.
$(VENV)/families/%: $(VENV)/ready
	$(BIN)/python -m venv --without-pip --clear $@
	site=$$($@/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$site/shared.pth" && \
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python \
	    --target "$$site" CpGPT==$*
