# Every target is short and does one thing; `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/installed-run
STAMP := $(VENV)/installed
# Tests wait for half of their time, so there are more processes than the two cores of CI (WORKERS=8, or 4 for the faults). Each has a
# stack and browsers of its own.
# Parts of a target that run at the same time print their output one after the other, where this make can.
PARTS = @$(MAKE) --no-print-directory --keep-going --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
TESTS = $(BIN)/python -m tools.run_tests --workers
# Images set it to stay small. Here it would make every process of the tests compile all that it imports, again and again.
unexport PYTHONDONTWRITEBYTECODE
NODE := node_modules/.bin
NODE_STAMP := node_modules/installed
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
STYLES := '{broadcast_service/dashboard,extension}/**/*.css'

.PHONY: help install run test test-containers faults bench bench-page check check-types check-python check-site check-page docs format token room link extension smoke backup restore postgres up down logs scale update lock clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-15s %s\n", $$1, $$2}'

install: $(STAMP) $(NODE_STAMP) ## Create .venv with the locked requirements

# What running needs is installed in a third of the time that everything takes; tests and checks add the rest.
define install_lock
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) was not found: install Python 3.11 or later, or name yours with PYTHON=…." >&2; exit 1; }
	@$(PYTHON) tools/install.py $(if $(filter file,$(origin PYTHON)),--choose) $(VENV) $<
	@touch $@
endef

$(RUN_STAMP): requirements-run.txt
	$(install_lock)

$(STAMP): requirements-dev.txt | $(RUN_STAMP)
	$(install_lock)

# The page and the extension have no build step and no packages; these are formatters, linters, the type checker and the accessibility checker.
$(NODE_STAMP): package-lock.json
	@mkdir -p node_modules
	@if command -v npm >/dev/null; then npm ci --ignore-scripts --silent --no-audit --no-fund; else echo "npm is missing: JavaScript checks will be skipped"; fi
	@touch $@

run: $(RUN_STAMP) ## Run everything locally, with a simulated studio (ROOMS=36)
	@$(BIN)/python -m tools.local

test: $(STAMP) $(NODE_STAMP) ## Run all tests but the faults
	$(TESTS) $(or $(WORKERS),8) main browser

faults: $(STAMP) ## Break real processes and hold the promise against what clients saw (random faults alone: NEMESIS=30 [SEED=…] [TOPOLOGY=cluster])
	@rm -f test-results/faults.*
	$(TESTS) $(or $(WORKERS),4) faults $(if $(NEMESIS),-- tests/faults/test_nemesis.py -k random_faults_break)
	@echo "What was seen stands in test-results/faults.md"

test-containers: $(STAMP) ## Run the stack of compose.yaml on a real engine: yours, else Debian's in namespaces of its own (CONTAINERS='-k secret')
	@$(BIN)/python -m tests.deploy.containers $(CONTAINERS)

check: $(STAMP) $(NODE_STAMP) ## Lint and type-check everything, and build the documentation site
	$(PARTS) check-types check-python check-site check-page

check-types:
	$(BIN)/mypy

check-python:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-site:
	$(SITE) build --strict

check-page:
	@if [ -x node_modules/.bin/tsc ]; then set -ex; $(NODE)/biome ci; $(NODE)/stylelint $(STYLES); $(NODE)/tsc -p .; $(NODE)/tsc -p extension; \
	elif [ -n "$$CI" ]; then echo "npm is missing: JavaScript and style sheets were not checked" >&2; exit 1; fi

docs: $(STAMP) ## Serve the documentation site on http://127.0.0.1:8000
	$(SITE) serve

bench: $(STAMP) ## Measure everything against floor and baseline (BENCH='--quick --only storm')
	@$(BIN)/python -m tools.bench $(BENCH)

bench-page: $(STAMP) ## Judge how smooth the page is and how long reports hold the loop; let nothing else run
	JUDGE_SPEED=1 $(BIN)/python -m pytest tests/dashboard/test_smooth.py tests/dashboard/test_first_sight.py tests/contract/test_slices.py tests/extension/test_cost.py

format: $(STAMP) $(NODE_STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	@if [ -x node_modules/.bin/tsc ]; then set -ex; $(NODE)/biome check --write; $(NODE)/stylelint --fix $(STYLES); fi

# The keys of the stack of .env, else of the local one; without either nothing can be signed.
KEYS = value() { sed -n "s/^$$1=//p" .env 2>/dev/null; }; \
	if [ -z "$$TOKEN_KEYS" ]; then TOKEN_KEYS="$$(value TOKEN_KEYS)"; [ -e .env ] || TOKEN_KEYS="$$(cat .local/token-keys 2>/dev/null)"; \
	export INGEST_TOKEN_KEYS="$$(value INGEST_TOKEN_KEYS)" DASHBOARD_TOKEN_KEYS="$$(value DASHBOARD_TOKEN_KEYS)"; fi; \
	[ -n "$$TOKEN_KEYS$$INGEST_TOKEN_KEYS" ] || { echo "There are no keys yet: start the system first, with 'make run' or 'make up'." >&2; exit 1; }; export TOKEN_KEYS;

token: $(RUN_STAMP) ## Print a token for the stack of .env, else for the local one (AUDIENCE=dashboard SUBJECT=anna SCOPE='a,vip-*' TTL=8h)
	@$(KEYS) $(BIN)/python -m shared.tokens issue --audience $(or $(AUDIENCE),dashboard) \
		--subject '$(or $(SUBJECT),$(SUDO_USER),$(shell id -un))' --rooms '$(or $(SCOPE),*)' $(if $(TTL),--ttl $(TTL))

room: $(RUN_STAMP) ## Print the studio code of a room, to paste into the extension (ROOM='Sala 3' [ADDRESS=https://…] [TTL=90d])
	@[ -n "$(ROOM)" ] || { echo "Name the room: make room ROOM='Sala 3'" >&2; exit 1; }; $(KEYS) \
	domain=$$(sed -n 's/^DOMAIN=//p' .env 2>/dev/null || true); port=$$(sed -n 's/^PORT=//p' .env 2>/dev/null || true); \
	if [ -f .env ]; then address="$${domain:+https://$$domain}"; address="$${address:-http://localhost:$${port:-3000}}"; \
	else address="http://127.0.0.1:$${INGEST_PORT:-8001}"; fi; \
	$(BIN)/python -m shared.tokens room --name '$(ROOM)' --address "$${ADDRESS:-$$address}" $(if $(TTL),--ttl $(TTL))

link: ## Print a link that signs one browser in to the stack of .env (SUBJECT=ana SCOPE='a,vip-*' KEEP=90d URL=https://…)
	@docker compose run --rm --no-deps -T tokens link --subject '$(or $(SUBJECT),$(SUDO_USER),$(shell id -un))' --rooms '$(or $(SCOPE),*)' --keep $(or $(KEEP),90d) \
		--url "$(or $(URL),$$(d=$$(sed -n 's/^DOMAIN=//p' .env); p=$$(sed -n 's/^PORT=//p' .env); echo "$${d:+https://$$d}" | grep . || echo "http://localhost:$${p:-3000}"))"

extension: ## Pack the extension into dist/, for the store and for development ([ENDPOINT=https://…] [HOMEPAGE=https://…] [KEY=key.pem])
	@$(PYTHON) extension/tools/pack.py $(if $(ENDPOINT),--endpoint '$(ENDPOINT)') $(if $(HOMEPAGE),--homepage '$(HOMEPAGE)') $(if $(KEY),--key '$(KEY)')

smoke: ## Check a running stack (URL=https://… TOKEN_KEYS=… [INGEST_URL=…]); needs Python alone
	@$(PYTHON) tools/smoke.py $(or $(URL),http://127.0.0.1:3000)

up: ## Run everything in containers, and print where to click; DOMAIN in .env makes it HTTPS
	@$(PYTHON) deploy/make_env.py
	@sh deploy/modes.sh
	@$(PYTHON) deploy/up.py --build
	@sh deploy/where.sh

backup: ## Write a backup of the archive to backups/, while everything runs ([FILE=…])
	@sh deploy/archive/backup.sh $(if $(FILE),'$(FILE)')

restore: ## Restore a backup of the archive (FILE=…); one that has history already is merged with it
	@[ -n "$(FILE)" ] || { echo "Name the backup: make restore FILE=backups/…" >&2; exit 1; }; sh deploy/archive/restore.sh '$(FILE)'

postgres: ## Move the archive of the containers from its file to PostgreSQL
	@$(PYTHON) deploy/make_env.py
	@PYTHON='$(PYTHON)' sh deploy/archive/to_postgres.sh

down: ## Stop the containers; what is stored stays
	@docker compose --profile '*' down

logs: ## Follow the containers' logs (SERVICE=broadcast)
	@docker compose logs --follow --tail 100 $(SERVICE)

scale: ## Run so many of each for now (BROADCAST=3 INGEST=2)
	@$(PYTHON) deploy/up.py --no-recreate --scale ingest=$(or $(INGEST),1) --scale broadcast=$(or $(BROADCAST),1)

update: ## Replace the services' containers by new ones, one service after the other, without a gap
	@$(PYTHON) deploy/make_env.py
	@sh deploy/modes.sh
	@PYTHON='$(PYTHON)' sh deploy/update.sh

LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

lock: $(STAMP) ## Write the lock files anew from pyproject.toml
	$(LOCK) --upgrade pyproject.toml -o requirements.txt
	$(LOCK) -c requirements.txt --extra otel pyproject.toml -o requirements-otel.txt
	$(LOCK) -c requirements-otel.txt --extra worker pyproject.toml -o requirements-worker.txt
	$(LOCK) -c requirements-worker.txt --extra worker --extra parquet pyproject.toml -o requirements-parquet.txt
	$(LOCK) -c requirements-otel.txt -c requirements-parquet.txt --extra otel --extra worker --extra parquet --group dev pyproject.toml -o requirements-dev.txt
	$(LOCK) -c requirements-dev.txt --group run pyproject.toml -o requirements-run.txt

clean: ## Remove what the checkout made for itself
	rm -rf $(VENV) .local dist site node_modules test-results .mypy_cache .pytest_cache .ruff_cache .hypothesis
