# Needs Go, make and git; make image also needs buildah or docker.

IMAGE ?= cusme:dev

.DEFAULT_GOAL := help

KUBERNETES := v1.37.2
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO_BUILD := go build -trimpath -ldflags "-X main.version=$(VERSION)"
LOCALCLUSTER_SOURCES := $(wildcard localcluster/*.go localcluster/*/* localcluster/go.mod localcluster/go.sum)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: build
build: ## Build bin/cusme
	$(GO_BUILD) -o bin/ ./cmd/cusme

.PHONY: localcluster
localcluster: bin/localcluster ## Build bin/localcluster, a Kubernetes control plane for demo and tests

# The version must be given: kubectl refuses to talk to a server without one.
bin/localcluster: $(LOCALCLUSTER_SOURCES)
	@echo "Building bin/localcluster, a Kubernetes control plane in one binary. The first time compiles all of"
	@echo "Kubernetes: 7 to 10 minutes on two cores, 0.8 GB of modules. Later builds take about 20 seconds."
	go -C localcluster build -trimpath -ldflags "-s -w \
		-X k8s.io/component-base/version.gitVersion=$(KUBERNETES) \
		-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37 \
		-X k8s.io/client-go/pkg/version.gitVersion=$(KUBERNETES)" -o ../bin/localcluster .

# Both modules are tested even when the first one fails, so that one run shows all there is to mend. Vet is off in
# localcluster: it would analyse all of Kubernetes first, which takes longer than everything else together.
.PHONY: test
test: build bin/localcluster ## Test everything, on a real control plane
	@status=0; \
	echo "== testing cusme, about ten minutes on two cores"; \
	go test -timeout 40m ./... || status=1; \
	echo "== testing localcluster, about 3 minutes"; \
	go -C localcluster test -vet=off ./... || status=1; \
	if [ $$status -eq 0 ]; then echo "== all tests passed"; else echo "== something failed, see above"; fi; \
	exit $$status

# The timeout is far above the sum of what its tests wait for.
.PHONY: soak
soak: bin/localcluster ## Run the long versions of the acceptance tests, about 15 minutes
	CUSME_SOAK=1 go test -count=1 -v -timeout 60m -run '^(TestScaleIns|TestStockOut)$$' ./cmd/cusme

# Each target by itself, because go test fuzzes no more than one at a time. What one finds is written to testdata/fuzz: commit
# it with the repair. Building for the fuzzer takes a minute or two the first time.
FUZZTIME ?= 60s

.PHONY: fuzz
fuzz: ## Feed random answers and expressions to the sources for FUZZTIME (60s) each, random worlds to decisions, and random traces
	go test -timeout 30m -run '^$$' -fuzz '^FuzzHTTPAnswer$$' -fuzztime $(FUZZTIME) ./internal/load
	go test -timeout 30m -run '^$$' -fuzz '^FuzzValue$$' -fuzztime $(FUZZTIME) ./internal/load
	go test -timeout 30m -run '^$$' -fuzz '^FuzzDecide$$' -fuzztime 20s ./internal/scaling
	go test -timeout 30m -run '^$$' -fuzz '^FuzzTrace$$' -fuzztime 20s ./internal/simulate
	go test -timeout 30m -run '^$$' -fuzz '^FuzzRead$$' -fuzztime 20s ./internal/ticklog

# Of localcluster only the formatting is checked, for the same reason as above.
.PHONY: lint
lint: ## Check formatting, and look for mistakes with vet and staticcheck
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w is wanted for:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

.PHONY: manifests
manifests: ## Generate deepcopy functions, the CRD and the RBAC role from the Go types and markers
	go generate .

# What it makes is committed, so that nobody else needs protoc.
.PHONY: proto
proto: ## Generate the client of KEDA's external scaler protocol; needs protoc (Debian: protobuf-compiler)
	go generate ./internal/load/externalscaler

# What it fetches is committed, so that nobody else needs npm. npm holds the package to the checksum in package-lock.json.
ASSETS := internal/dashboard/assets

.PHONY: assets
assets: ## Fetch what pages are made of beside our own script; needs npm
	npm --prefix $(ASSETS) ci --ignore-scripts --no-audit --no-fund
	cp $(ASSETS)/node_modules/uplot/dist/uPlot.iife.min.js $(ASSETS)/uplot.min.js
	cp $(ASSETS)/node_modules/uplot/dist/uPlot.min.css $(ASSETS)/uplot.min.css
	cp $(ASSETS)/node_modules/uplot/LICENSE $(ASSETS)/uplot.LICENSE
	rm -rf $(ASSETS)/node_modules

# Each is the top of a page that cusme simulate writes of the day that is built in.
PICTURE := chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=5000
POLICIES := cmd/cusme/testdata/policies
# An office, busy from 9 to 18 on fifteen days, and the seconds from 8:30 to 10:30 of the last.
OFFICE := BEGIN { print "t_s,arrivals,service_s_mean"; for (h = 0; h < 360; h++) print h * 3600 "," (h % 24 >= 9 && h % 24 < 18 ? 1080 : 90) ",40" }
NINE := [1240200, 1247400]

.PHONY: pictures
pictures: build ## Draw the pictures of the docs; needs chromium
	mkdir -p docs/pictures
	dir=$$(mktemp -d) && bin/cusme simulate --report $$dir/page.html && \
		bin/cusme simulate -f $(POLICIES)/bands.yaml -f $(POLICIES)/objective.yaml --policies cusme,original --report $$dir/policies.html && \
		$(PICTURE) --window-size=1200,1560 --screenshot=docs/pictures/simulate.png file://$$dir/page.html && \
		$(PICTURE) --window-size=1200,1115 --screenshot=docs/pictures/policies.png file://$$dir/policies.html && rm -r $$dir
	dir=$$(mktemp -d) && awk '$(OFFICE)' > $$dir/office.csv && \
		sed 's/name: objective/name: without-forecast/; s/percentile: 95/forecast: Disabled/' $(POLICIES)/objective.yaml > $$dir/without.yaml && \
		bin/cusme simulate -f $(POLICIES)/objective.yaml -f $$dir/without.yaml --policies cusme --startup 5m,6m --trace $$dir/office.csv --report $$dir/page.html && \
		sed -i 's|<meta http-equiv="Content-Security-Policy"[^>]*>||; s|</body>|<script>setTimeout(() => page.panels.zoom($(NINE)), 1000)</script></body>|' $$dir/page.html && \
		$(PICTURE) --window-size=1200,1250 --screenshot=docs/pictures/forecast.png file://$$dir/page.html && rm -r $$dir

.PHONY: scenarios
scenarios: ## Rewrite the lower halves of the scenarios; read the diff
	go test ./internal/scaling -run Scenario -update

# A program of its own rather than go run, so that Ctrl-C and exit codes are the demo's.
.PHONY: demo
demo: bin/localcluster ## Show cusme at work on a local control plane; ARGS="--for 2m" passes flags
	@echo "Building bin/cusme and bin/demo: the first time about 3 minutes on two cores, later a few seconds."
	@$(GO_BUILD) -o bin/ ./cmd/cusme ./cmd/demo
	@bin/demo $(ARGS)

# One package after the other, so that none measures the others.
.PHONY: bench
bench: bin/localcluster ## Measure: policies, reaction, scale, cost of a decision; BENCH=long for all LoadScalers
	CUSME_BENCH=$(BENCH) go test -run '^$$' -bench . -benchmem -p 1 ./...

.PHONY: image
image: ## Build the container image IMAGE (default cusme:dev) with buildah, podman or docker
	@builder=$$(command -v buildah || command -v podman || command -v docker) || \
		{ echo "make image needs buildah, podman or docker: install one of them" >&2; exit 1; }; \
	"$$builder" build -t $(IMAGE) --build-arg VERSION="$(VERSION)" $(if $(BUILDER),--build-arg BUILDER=$(BUILDER)) .
