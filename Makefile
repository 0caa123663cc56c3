# Commands for people who work on this project. Each calls a script that can also be called by itself.
.DEFAULT_GOAL := help
.PHONY: help lint test test-all drawn clouds gpus kind-up images install e2e run docs lock sbom

help: ## List these targets.
	@sed -n 's/^\([a-z0-9-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.venv/bin/python: pyproject.toml
	python3 -m venv .venv && .venv/bin/python -m pip install -q -e '.[test]' && touch $@

lint: .venv/bin/python ## Check code, types, import rules, generated files and shell scripts.
	tests/lint

test: .venv/bin/python ## Run the tests that need only Python.
	.venv/bin/python -m pytest -q -m pure

test-all: ## Run every test. Needs Debian, root and Go: tests/README.md.
	tests/run

drawn: .venv/bin/python ## Draw the trace of 120,000 tasks in a browser. Needs chromium and npm.
	.venv/bin/python -m tests.benchmarks.drawn_trace --tasks 120000

clouds: .venv/bin/python ## Try stores of Azure and Google on their emulators. Needs npm.
	.venv/bin/python -m tests.runner.other_clouds

gpus: .venv/bin/python ## Try workers of dask-cuda on the test cluster, with an imitation of NVIDIA's library.
	tests/run tests/e2e/gpu_workers.py

kind-up: ## Create the kind cluster. Needs docker and kind.
	tests/kind/up

images: ## Build the images with Docker and load them into the kind cluster.
	tests/kind/images

install: ## Install or upgrade the chart in the kind cluster. Needs helm.
	tests/kind/install

e2e: .venv/bin/python ## Run the cluster's tests on the kind cluster.
	tests/kind/e2e

run: .venv/bin/python ## Run the operator on this machine against the kind cluster.
	tests/kind/run

docs: .venv/bin/python ## Build the documentation into build/docs.
	.venv/bin/python -m pip install -q -e '.[docs]' && docs/build

lock: .venv/bin/python ## Pin what the image installs by version and hash. UPGRADE=--upgrade takes the newest.
	.venv/bin/python -m pip install -q -e '.[lock]' && image/lock $(UPGRADE)

sbom: .venv/bin/python ## List what is in the image daskjob/operator that Docker has.
	image/sbom
