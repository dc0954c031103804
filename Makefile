# `make check` is what CI runs. CONTRIBUTING.md says what each step is for.

# Every module is found by its go.mod. tools/ holds the versions of the tools, and what they lack.
MODULES := $(sort $(patsubst %/,%,$(dir $(shell find . -name go.mod -not -path '*/.*/*'))))
CODE    := $(filter-out ./tools,$(MODULES))

LOOK    := format fix tidy systems staticcheck
ANALYZE := checklocks deadcode
COUNT   := soak-moment fuzz-moment
STEPS   := vet $(LOOK) $(ANALYZE) test race engine $(COUNT)

# Two steps at once do not write into each other's output, where make can hold it back.
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

FUZZTIME ?= 60s
SOAKTIME ?= 2h

# Packages without a goroutine, a lock or an unsafe pointer in their code or their tests: the race
# detector has nothing to find in them. race_test.go holds them to it.
SINGLE := internal/addrtable internal/behaviour internal/cursor internal/customid internal/fingerprint internal/identity internal/lab/command internal/record internal/resume policy replay session

# Tests wait more than they work: with as many at once the processors have something to do.
# `make vet` asks more of the code than go test does.
GOTEST := go test -parallel=8 -vet=off -shuffle=on

# Neither a private go.work nor a tool from the caller's PATH changes what a step sees.
export GOWORK := off
BIN := $(CURDIR)/.bin

# With this tag a program links pion3 in place of pion2. Tests and vet cover both.
ifneq ($(wildcard internal/handshake/pion3/*.go),)
PION3 := -tags=sallyport_pion3
endif

# $(call each,command,modules): the command in each of these modules, by default in all that hold code.
each = @for m in $(or $(2),$(CODE)); do echo "-- $$m"; (cd $$m && $(1)) || exit 1; done

# $(call quiet,command): fails if the command fails or prints anything.
quiet = out=$$($(1)) && [ -z "$$out" ] || { echo "$$out"; false; }

.PHONY: check look try tests passed tools clean fuzz corpora bench bench-table bench-compare soak prove vuln filter test-root test-modules $(STEPS)

check: look try passed

# Steps that only look at the code share what `go vet` has compiled, and run two at a time; the longest of
# them take what the tests leave idle. The race detector computes while tests of the other engine wait.
# Fuzzing runs beside the players, who leave a processor and a half idle for a minute, and never before them.
ASIDE := nice -n 19
look: tools
	@$(MAKE) --no-print-directory step-vet
	@$(MAKE) --no-print-directory -j2 $(SYNC) $(LOOK:%=step-%)

try:
	@$(MAKE) --no-print-directory -j3 $(SYNC) tests $(ANALYZE:%=step-%)

tests:
	@$(MAKE) --no-print-directory step-test
	@$(MAKE) --no-print-directory -j2 $(SYNC) step-race step-engine
	@$(MAKE) --no-print-directory -j2 $(SYNC) $(COUNT:%=step-%)

passed:
	@echo "steps: $(words $(STEPS)) passed, 0 failed"

step-%:
	@echo "== $*"; start=$$(date +%s); \
	$(MAKE) --no-print-directory $* || exit 1; \
	echo "== $*: $$(($$(date +%s) - start)) s"

# Everything once and in full. Tests of the other modules start programs and servers, and wait for
# them, while those of the root module compute: three modules at a time keep two processors busy. Those
# that take longest begin first.
LONGEST := ./fleet ./examples/nakama .
test:
	@$(MAKE) --no-print-directory -j3 $(SYNC) $(addprefix test-in/,$(LONGEST) $(filter-out $(LONGEST),$(CODE)))

test-root: test-in/.

test-modules:
	@$(MAKE) --no-print-directory -j2 $(SYNC) $(addprefix test-in/,$(filter-out .,$(CODE)))

# The longest package of the root module begins first. Benchmarks run once, in the programs that are there anyway:
# asked for by go test itself, they would make packages wait for each other.
test-in/%:
	@echo "-- $*"
	cd $* && $(GOTEST) -p=2 $(if $(filter .,$*),./transport) ./... -args -test.bench=. -test.benchtime=1x

# The race detector makes a test ten times as slow. Under it, those that try many cases in one
# goroutine, or many matches in virtual time, try fewer (testing.Short). Tests of other modules would
# wait in vain for their programs and servers. A program under the race detector sleeps for a second
# before it exits, unless GORACE says otherwise, and there are some sixty of them.
race: export GORACE := atexit_sleep_ms=0
race:
	$(GOTEST) -p=3 -race -short ./transport $$(go list ./... | grep -vxF "$$(go list $(SINGLE:%=./%))")

# The other engine, where a package's tests link it: elsewhere the tag changes nothing, and all has been
# tried in full.
LINKED = go list -test $(PION3) -f '{{range .Deps}}{{if eq . "$(ENGINE)"}}{{$$.ForTest}}{{end}}{{end}}' ./...
ENGINE := github.com/sallyport/sallyport/internal/handshake/pion3
engine:
	$(if $(PION3),linked=$$($(LINKED)) && $(GOTEST) -p=2 -short $(PION3) ./transport $$linked)

format: tools
	@$(call quiet,$(BIN)/gofumpt -l .)

# What looks at code keeps most of what it allocates: to collect the rest less often saves a fifth.
vet fix systems staticcheck checklocks deadcode: export GOGC := 400

# With -trimpath, what cgo has made in one checkout serves every other, and the check of cgo's calls looks for its
# sources where the first one was.
VET := go vet -cgocall=false
vet:
	$(call each,$(VET) ./...)
	$(if $(PION3),$(VET) $(PION3) ./...)

# Systems on which this does not run: those of developers, and 32 bits, on Linux and elsewhere. The modules of SEEN are
# one workspace here, so that a system's standard library is read once. Compiling it would take ten times as long.
SYSTEMS := windows/386 darwin/arm64 linux/386
SEEN    := . ./fleet ./gateway
systems: tools
	@export GOWORK=$(BIN)/systems.work; rm -f $$GOWORK; go work init $(SEEN); for s in $(SYSTEMS); do \
		echo "-- $$s"; CGO_ENABLED=0 GOOS=$${s%/*} GOARCH=$${s#*/} $(BIN)/vetsource $(SEEN:%=%/...) || exit 1; \
	done

fix:
	$(call each,go fix -diff ./...)

tidy:
	$(call each,go mod tidy -diff,$(MODULES))

staticcheck: tools
	$(call each,$(BIN)/staticcheck -checks=all ./...)

# Annotated fields are checked; those that only look guarded are not, nor are tests, which look inside at rest.
# What go vet has found of a package it keeps until that changes.
checklocks: tools
	$(call each,$(ASIDE) go vet -vettool=$(BIN)/checklocks ./...)

deadcode: tools
	@$(call quiet,$(ASIDE) $(BIN)/deadcode $(CODE))

# Two packages at once: the program of one is linked while another's runs.
fuzz-moment:
	@$(ASIDE) tools/fuzz.sh 5000x 2

fuzz:
	@tools/fuzz.sh $(FUZZTIME)

# What fuzzing has found interesting becomes part of the corpora in the tree.
corpora:
	@tools/corpora.sh

bench:
	$(call each,go test -run='^$$' -bench=. -benchmem ./...)

# Sallyport beside its rivals; takes hours. BENCHFLAGS=-quick takes minutes.
bench-table:
	cd bench && go run . $(BENCHFLAGS)

# What the packet path costs in OLD and in HEAD; takes some ten minutes on a quiet machine.
bench-compare:
	tools/compare.sh $(OLD)

# Players for a long time, honest and hostile ones; -h of the program says more.
SOAK := go run ./internal/lab/endurance/run
soak:
	$(SOAK) -duration $(SOAKTIME) -players 2000 -svg soak.svg

# Floods, hostile input, faults, long runs: what is promised beside what is measured.
prove:
	go run ./internal/lab/prove

soak-moment:
	$(SOAK) -duration 60s

# Every cell of the table in internal/lab/matrix; `make test` tries each pair of its values.
.PHONY: matrix
matrix:
	SALLYPORT_MATRIX=full go test -count=1 -timeout=0 -run='^TestMatrix' ./internal/lab/matrix

# Asks the vulnerability database over the network, so it is no part of check.
vuln: tools
	$(call each,$(BIN)/govulncheck ./...)

tools: $(BIN)/built

# go vet caches a tool's findings under a hash of the tool, so the commit is not stamped into it.
$(BIN)/built: tools/go.mod tools/go.sum $(wildcard tools/*/*.go)
	@mkdir -p $(BIN)
	cd tools && go build -buildvcs=false -o $(BIN)/ tool
	@touch $@

# The XDP program of filter/, which is committed compiled: after a change of its source. Needs clang with the BPF
# target, and llvm-strip; a test says if it was forgotten.
filter:
	filter/build.sh filter.bpf.o

clean:
	rm -rf $(BIN)
