# Needs make and Python 3.11 to 3.13. Everything else is put into .venv by `make setup`, which the other targets call.

.DEFAULT_GOAL := help
.PHONY: help setup real demo test check soak format lock bench clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv with everything that is locked; quick and offline the second time (PYTHON=... chooses one)
	@scripts/setup

real: ## Install the real programs that some tests start (Kamailio, PostgreSQL, baresip, OpenLDAP), where that is possible
	@scripts/real

demo: setup ## Start a small telephone company and sign a phone in before your eyes
	@.venv/bin/offhook demo

test: setup real ## Run every check: format, style, layers, types, tests, coverage
	@scripts/check

check: test ## The same as test

SECONDS ?= 600
soak: setup ## Simulate new seeds for as long as asked (SECONDS=600); stops at what breaks a rule, and says how to replay it
	@.venv/bin/python -m tests.simulation --soak $(SECONDS)

format: setup ## Format the code and mend what the style check can mend by itself
	@.venv/bin/ruff check --fix-only .
	@.venv/bin/ruff format .

bench: setup ## Measure; prints one line of JSON for each number
	@.venv/bin/python -m bench

lock: ## Write requirements/*.txt anew from pyproject.toml (needs uv; UPGRADE=--upgrade takes the newest)
	@scripts/lock $(UPGRADE)

clean: ## Remove .venv and everything else that the other targets made
	@rm -rf .venv .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
