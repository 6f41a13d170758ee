# latticed: make help lists the targets.

SHELL := /bin/bash
GO ?= go
PREFIX ?= /usr/local
DESTDIR ?=
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TOOLS := .tools
export PATH := $(CURDIR)/$(TOOLS):$(PATH)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: build ## watch the main job happen: three files, three redispatches
	@scripts/demo.sh

.PHONY: build
build: ## build bin/latticed
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/latticed ./cmd/latticed

.PHONY: test
test: test-deps build ## set up what the tests need and run them all with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

.PHONY: test-deps
test-deps: ## install the Debian packages that tests talk to
	@scripts/test-deps.sh

.PHONY: lint
lint: tools ## gofumpt, vet, golangci-lint, generated code up to date
	@out=$$($(TOOLS)/gofumpt -l $$(git ls-files '*.go' | grep -v '\.gen\.go$$')); \
	  if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(TOOLS)/golangci-lint run ./...
	scripts/check-generated.sh
	$(GO) mod verify
	$(GO) mod tidy -diff

.PHONY: bench
bench: build ## print the speed table, each row beside its floor from the same run
	$(GO) run ./cmd/latticed-bench -binary bin/latticed

.PHONY: generate
generate: tools ## regenerate committed code
	$(GO) generate ./...

.PHONY: tools
tools: ## build the pinned developer tools into .tools
	@scripts/tools.sh

.PHONY: install
install: ## install what was built, units, users and directories under DESTDIR and PREFIX
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' scripts/install.sh
