# Parola: every task has a target here; CI and hooks call make and nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
CLOCKED := tests/system tests/chaos tests/deploy tests/pipeline
PY := $(VENV)/bin/python
LOCK := uv pip compile --universal --generate-hashes \
	--no-emit-find-links --no-emit-index-url --custom-compile-command "make lock" --quiet

# The tests start some hundreds of programs; each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run setup demo test chaos storm check format lock sample lambda image-trial screenshots clean \
	loopback unloopback loopback_redirect loopback_clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: $(VENV)/.run ## Start the server with the embedded engine on http://127.0.0.1:8000
	$(VENV)/bin/parola serve --port 8000 --port 3000 --port 8080 --data parola-data $(ARGS)

setup: $(VENV)/.run ## Make .venv with parola, ready to run
	@echo "Ready: $(VENV)/bin/parola --help"

demo: $(VENV)/.run ## Stream the sample talk into a room and print its captions; no browser needed
	$(VENV)/bin/parola demo $(ARGS)

test: $(VENV)/.dev ## Run every test, browsers and stand-ins included
	@# libatomic: Playwright's own node needs it.
	scripts/debian-packages chromium:chromium curl:curl npm:npm node:nodejs \
		libatomic.so.1:libatomic1 certutil:libnss3-tools libportaudio.so.2:libportaudio2 \
		pulseaudio:pulseaudio pactl:pulseaudio-utils redis-server:redis-server ip:iproute2 \
		cc:build-essential
	@test -e /usr/include/openssl/ssl.h || scripts/debian-packages --always:libssl-dev
	@# What the fan-out is measured beside.
	@test -e /usr/lib/nginx/modules/ngx_nchan_module.so || scripts/debian-packages --always:libnginx-mod-nchan
	@# What lets ALSA, and PortAudio on it, play through PulseAudio; no command of its own.
	@compgen -G "/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so" >/dev/null || \
		scripts/debian-packages --always:libasound2-plugins
	scripts/npm-tools
	scripts/sdk-venvs
	@# What waits for real clocks runs two at a time, whatever the machine; the rest takes all cores.
	$(PY) -m pytest -n auto --dist worksteal $(CLOCKED:%=--ignore=%)
	@# Other machines' work may stop a clock's test: what failed is tried once more, alone; both are told.
	$(PY) -m pytest -n 2 --dist loadfile $(CLOCKED) || { \
		echo "Once more, alone, what failed above. What passes now depends on the time: mend it."; \
		$(PY) -m pytest --last-failed --last-failed-no-failures none $(CLOCKED); }

chaos: $(VENV)/.dev ## Kill, cut and fill everything on 1,000 seeded schedules and among real processes; SEED=…
	$(PY) -m tests.chaos $(SEED)

storm: $(VENV)/.dev ## Lose answers, throttle and kill along the pipeline and its server; SEED=… replays one
	scripts/sdk-venvs
	$(PY) -m tests.pipeline $(SEED)

check: $(VENV)/.dev ## Check format, lint, types, import arrows, and the docs against the code
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m pytest -q tests/unit/docs

format: $(VENV)/.dev ## Format the code and mend what the linter can
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

lock: ## Resolve the dependencies anew (needs uv)
	$(LOCK) pyproject.toml --python-version 3.11 --extra all -o locks/run.txt
	$(LOCK) pyproject.toml --python-version 3.11 --extra all --group dev -o locks/dev.txt
	$(LOCK) locks/sdk-amazon-transcribe.in --python-version 3.11 -o locks/sdk-amazon-transcribe.txt
	$(LOCK) locks/sdk-aws-transcribe.in --python-version 3.12 -o locks/sdk-aws-transcribe.txt
	$(LOCK) locks/aws-stand-ins.in --python-version 3.11 -o locks/aws-stand-ins.txt

sample: $(VENV)/.run ## Make the sample talk again with a free speech synthesiser
	scripts/debian-packages flite:flite
	scripts/make-sample

lambda: ## Pack the Lambda functions of the pipeline: dist/parola-lambda.zip
	scripts/lambda-package

image-trial: ## Build the image without a registry and run it; BASE_PYTHON=… (root on Debian)
	scripts/debian-packages buildah:buildah debootstrap:debootstrap ip:iproute2
	scripts/image-trial

screenshots: $(VENV)/.dev ## Make the pictures of the documentation again
	scripts/debian-packages chromium:chromium
	scripts/screenshots

loopback: ## Let `parola listen` hear a program: APP=firefox [MONITOR=1 to hear it too]
	@deploy/loopback.sh up

unloopback: ## Undo `make loopback`
	@deploy/loopback.sh down

# The conference system's names.
loopback_redirect: loopback
loopback_clean: unloopback

clean: ## Remove what the targets above made, but never the data
	rm -rf $(VENV) .tools build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.run: locks/run.txt pyproject.toml scripts/setup
	scripts/setup run

$(VENV)/.dev: locks/dev.txt pyproject.toml scripts/setup
	scripts/setup dev
