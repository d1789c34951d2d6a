# make            lists what there is to make
# make test       is everything, on a fresh clone too

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 60s
BENCH    ?= .
BENCHTIME ?= 1s

staticcheck := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The packages whose tests run in one process, and those that drive a service.
blackbox = github.com/belfryhq/belfry/(conformance|e2e)
inside   = $$(go list ./... | grep -vE '^$(blackbox)|^github.com/belfryhq/belfry$$')

quiet        = { grep -vE '^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS)' || true; }
# What fails is run once more, alone, and leaves a trace.
again        = scripts/again
blackboxtest = $(again) '-race -count=1 -timeout 10m -v' ./conformance | $(quiet)

.PHONY: help
help: ## List what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1	/' | \
		while IFS=$$'\t' read -r name text; do printf '  make %-18s %s\n' "$$name" "$$text"; done

.PHONY: web
web: ## Fetch the browser files of pusher-js anew, of the version in web/package.json (needs Node)
	go generate ./web

.PHONY: build
build: ## Build bin/belfry, static, with its version from git
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/belfry ./cmd/belfry

.PHONY: report
report: setup ## Write the report of VERSION into bin/report: conformance, libraries, faults, performance; AGAINST adds services (30 min)
	go run ./internal/proof -version $(VERSION) -out bin/report $(if $(PARTS),-parts $(PARTS))

.PHONY: site
site: ## Build the site of docs/ into bin/site, with search, and check its links (needs Python)
	@scripts/site

.PHONY: dist
dist: ## Build what is published of VERSION into bin/dist: archives, packages, checksums; PLATFORMS chooses
	go run ./internal/release -version $(VERSION) $(if $(PLATFORMS),-platforms $(PLATFORMS))

.PHONY: test
test: setup lint cross unit conformance clients alerts site cluster acceptance-node ## All but the browser runs of pusher-js's suite; installs what the tests need, or says what is missing
	@scripts/again --flakes

.PHONY: check
check: lint unit ## The gate before a commit: format, vet, staticcheck, tests without other processes

.PHONY: setup
setup: ## Install what the tests need, or say what is missing
	@scripts/setup

.PHONY: lint
lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "gofmt these files:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	$(staticcheck) ./...

.PHONY: cross
cross: ## Build and vet for Linux, macOS and Windows, on amd64 and arm64
	@for os in linux darwin windows; do for arch in amd64 arm64; do \
		echo "cross: $$os/$$arch"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go vet ./... && \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -o /dev/null ./cmd/belfry || exit 1; \
	done; done

.PHONY: unit
unit: ## Tests of the packages, with the race detector; those of the tree's own rules, which read it all, without
	$(again) '-count=1 -timeout 10m' .
	$(again) '-race -count=1 -timeout 10m' $(inside)

.PHONY: conformance
conformance: ## The black-box suite, for polled sockets, with TLS too, with net/http alone, and for portable sockets with a history; prints what it covers
	$(blackboxtest)
	BELFRY_TEST_TLS=true $(blackboxtest)
	BELFRY_HTTP_API_IN_LOOPS=false $(blackboxtest)
	BELFRY_WEBSOCKET_PORTABLE_SOCKETS=true BELFRY_TEST_HISTORY=1 $(blackboxtest)

.PHONY: clients
clients: setup ## The official client libraries against the real binary
	E2E_REQUIRED=1 $(again) '-race -count=1 -timeout 20m' ./e2e

.PHONY: alerts
alerts: setup ## Every alert is caused on real nodes, and promtool says that it fires and no other; the dashboard's queries (2 min)
	E2E_REQUIRED=1 $(again) '-race -count=1 -timeout 10m' ./e2e/alerts

.PHONY: cluster
cluster: setup ## Clusters of real processes, with faults: killed, paused, cut off, full disks (4 min)
	E2E_REQUIRED=1 $(again) '-race -count=1 -timeout 20m -parallel 3 -v' ./e2e/cluster/... | $(quiet)

.PHONY: acceptance-cluster
acceptance-cluster: setup ## The same as long as can be, under the whole load, and with random faults (15 min)
	E2E_REQUIRED=1 CLUSTER_FULL=1 go test -count=1 -timeout 40m -v ./e2e/cluster/... | $(quiet)

.PHONY: acceptance-node
acceptance-node: setup ## pusher-js's own integration suite, unmodified, over WebSocket in Node (2 min)
	E2E_ACCEPTANCE=1 $(again) '-race -count=1 -timeout 10m -v' ./e2e/acceptance

.PHONY: acceptance
acceptance: setup ## The whole of that suite: Node and Chromium, every transport; 10,000 silent connections (15 min)
	E2E_ACCEPTANCE=all go test -count=1 -timeout 40m -v ./e2e/acceptance
	E2E_ACCEPTANCE=all go test -count=1 -timeout 5m -v -run HonestClients ./e2e

.PHONY: acceptance-console
acceptance-console: setup ## Every page of the console in a browser: wide and narrow, light and dark, with axe-core; Live under load (4 min)
	E2E_REQUIRED=1 E2E_ACCEPTANCE=all go test -count=1 -timeout 15m -v -run 'Console|Live' ./e2e

.PHONY: chart
chart: ## The Helm chart: lint, what it renders, and that the binary takes it; builds helm if there is none (some minutes)
	go test -count=1 -timeout 30m -v ./e2e/chart | $(quiet)

.PHONY: acceptance-install
acceptance-install: dist ## What make dist has built: its contents, the same bytes twice, and that it installs and runs (10 min)
	@scripts/setup --install
	E2E_REQUIRED=1 E2E_DIST=$(CURDIR)/bin/dist go test -count=1 -timeout 30m -v ./e2e/install

.PHONY: fuzz
fuzz: ## Run every fuzz test for FUZZTIME (60s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz

.PHONY: bench
bench: ## Run the benchmarks; BENCH and BENCHTIME choose
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $(inside)

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin e2e/acceptance/build
