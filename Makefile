# `make check` is what CI runs. CONTRIBUTING.md says what each step is for.

# Every module is found by its go.mod. tools/ holds no code, only the versions of the tools.
MODULES := $(sort $(patsubst %/,%,$(dir $(shell find . -name go.mod -not -path '*/.*/*'))))
CODE    := $(filter-out ./tools,$(MODULES))

STEPS := test engine format vet fix tidy staticcheck checklocks deadcode fuzz-moment bench-moment

FUZZTIME ?= 60s
SOAKTIME ?= 10m

# Neither a private go.work nor a tool from the caller's PATH changes what a step sees.
export GOWORK := off
BIN := $(CURDIR)/.bin

# With this tag a program links pion3 in place of pion2. Tests and vet cover both.
ifneq ($(wildcard internal/handshake/pion3/*.go),)
PION3 := -tags=sallyport_pion3
# What links an engine; in the others the tag changes nothing.
LINKED := ./internal/handshake/... ./transport/... ./nakamabridge/... ./fuzz/... ./examples/... ./internal/lab/...
endif

# $(call each,command,modules): the command in each of these modules, by default in all that hold code.
each = @for m in $(or $(2),$(CODE)); do echo "-- $$m"; (cd $$m && $(1)) || exit 1; done

# $(call quiet,command): fails if the command fails or prints anything.
quiet = out=$$($(1)) && [ -z "$$out" ] || { echo "$$out"; false; }

.PHONY: check tools clean fuzz bench bench-table bench-compare soak vuln $(STEPS)

check:
	@for step in $(STEPS); do \
		echo "== $$step"; start=$$(date +%s); \
		$(MAKE) --no-print-directory $$step || exit 1; \
		echo "== $$step: $$(($$(date +%s) - start)) s"; \
	done
	@echo "steps: $(words $(STEPS)) passed, 0 failed"

# Everything once, then under the race detector, which makes a test ten times as slow: there, those that try many random
# cases in one goroutine try fewer (testing.Short).
test:
	$(call each,go test -parallel=8 -shuffle=on ./...)
	go test -race -short -shuffle=on ./...

# The other engine, where it is linked.
engine:
	$(if $(PION3),go test -parallel=8 -shuffle=on $(PION3) $(LINKED))

format: tools
	@$(call quiet,$(BIN)/gofumpt -l .)

vet:
	$(call each,go vet ./... && GOOS=darwin go vet ./... && GOOS=windows go vet ./...)
	$(call each,GOARCH=386 CGO_ENABLED=0 go vet ./...)
	$(if $(PION3),go vet $(PION3) ./...)

fix:
	$(call each,go fix -diff ./...)

tidy:
	$(call each,go mod tidy -diff,$(MODULES))

staticcheck: tools
	$(call each,$(BIN)/staticcheck -checks=all ./...)

# Annotated fields are checked; those that only look guarded are not, nor are tests, which look inside at rest.
checklocks: tools
	$(call each,$(BIN)/checklocks -inferred=false -test=false ./...)

deadcode: tools
	$(call each,$(call quiet,$(BIN)/deadcode -test ./...))

# Counted in executions: a run ended by the clock now and then fails without a finding (golang/go#75804).
fuzz-moment:
	@tools/fuzz.sh 3000x

fuzz:
	@tools/fuzz.sh $(FUZZTIME)

# Allocation tests run here too: the race detector allocates on its own.
bench-moment:
	$(call each,go test -run=NoAllocs -bench=. -benchtime=1x ./...)

bench:
	$(call each,go test -run='^$$' -bench=. -benchmem ./...)

# Sallyport beside its rivals; takes hours. BENCHFLAGS=-quick takes minutes.
bench-table:
	cd bench && go run . $(BENCHFLAGS)

# What the packet path costs in OLD and in HEAD; takes some ten minutes on a quiet machine.
bench-compare:
	tools/compare.sh $(OLD)

# Soak tests are named TestSoak… and last as long as SALLYPORT_SOAK says.
soak:
	SALLYPORT_SOAK=$(SOAKTIME) go test -race -count=1 -timeout=0 -v -run='^TestSoak' ./...

# Asks the vulnerability database over the network, so it is no part of check.
vuln: tools
	$(call each,$(BIN)/govulncheck ./...)

tools: $(BIN)/built

$(BIN)/built: tools/go.mod tools/go.sum
	@mkdir -p $(BIN)
	cd tools && go build -o $(BIN)/ tool
	@touch $@

clean:
	rm -rf $(BIN)
