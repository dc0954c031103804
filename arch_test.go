package sallyport_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"go/version"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sallyport/sallyport"

// imports says what the non-test code of each package may import besides the standard library. "..."
// stands for every package of this module. A new package adds its line here, and its row to
// ARCHITECTURE.md.
var imports = map[string][]string{
	".":             {},
	"internal/wire": {"internal/cursor", "internal/record"},
	"replay":        {},
	"netsim":        {},
	"policy":        {"internal/bucket"},
	"audit":         {"internal/bucket", "audit/chain", "internal/auditchain"},
	"audit/chain":   {"internal/auditchain"},
	"token":         {"internal/aging", "internal/bucket", "github.com/golang-jwt/jwt/v5", "github.com/cespare/xxhash/v2"},

	"internal/record":          {"replay", "internal/prefetch"},
	"internal/handshake":       {"internal/record", "internal/retry"},
	"internal/handshake/pion2": {"internal/handshake", "internal/handshake/internal/engine", "internal/record", "github.com/pion/dtls/v2"},
	"internal/handshake/pion3": {"internal/handshake", "internal/handshake/internal/engine", "internal/record", "github.com/pion/dtls/v3"},

	"internal/handshake/internal/engine":     {"internal/handshake", "internal/record", "github.com/pion/logging"},
	"internal/handshake/internal/enginetest": {"internal/handshake", "internal/record"},

	"fleetkey":        {},
	"internal/resume": {"internal/wire", "replay", "fleetkey", "internal/cursor", "internal/identity"},

	"session": {"internal/identity", "internal/wire", "replay", "policy", "token", "fleetkey"},
	"internal/machine": {
		"internal/lanes",
		"internal/wire", "replay", "policy", "audit", "token", "fleetkey", "session", "internal/prefetch", "internal/resume", "internal/retry",
		"internal/behaviour", "internal/fingerprint", "internal/identity",
	},
	"transport": {
		"internal/lanes",
		"internal/wire", "replay", "policy", "audit", "token", "fleetkey", "internal/record", "session", "internal/machine", "internal/resume", "internal/retry",
		"internal/handshake", "internal/addrtable", "internal/udp", "internal/dtls", "internal/fingerprint", "internal/sources", "internal/bucket",
		"internal/clockstep",
	},
	"dev":          {"internal/hosts", "token", "transport"},
	"statuspage":   {"internal/hosts", "session", "transport"},
	"metrics":      {"audit", "transport", "github.com/prometheus/client_golang"},
	"nakamabridge": {"internal/aging", "internal/customid", "internal/matchdata", "session", "token", "transport", "audit", "github.com/heroiclabs/nakama-common"},

	"fuzz":              {"..."},
	"examples/server":   {"..."},
	"examples/client":   {"..."},
	"examples/dtlsecho": {"..."},

	// What is to be copied imports what a user can.
	"examples/minimal":        {},
	"examples/minimal/server": {"dev", "session", "transport"},
	"examples/minimal/client": {"dev", "transport"},

	"internal/lab/arena":      {"..."},
	"internal/lab/attack":     {"..."},
	"internal/lab/command":    {},
	"internal/lab/endurance":  {"..."},
	"internal/lab/flood":      {"...", "golang.org/x/sys"},
	"internal/lab/gameserver": {"..."},
	"internal/lab/lateness":   {},
	"internal/lab/matrix":     {},
	"internal/lab/nakama":     {"session", "transport"},
	"internal/lab/prove":      {"..."},
	"internal/lab/signin":     {},
	"internal/lab/soak":       {"..."},
	"internal/lab/subprocess": {},
	"internal/lab/succession": {"..."},
	"internal/lab/tally":      {"audit"},

	"internal/lab/endurance/run": {"..."},
	"internal/lab/flood/run":     {"..."},

	"internal/addrtable":   {},
	"internal/auditchain":  {},
	"internal/aging":       {},
	"internal/behaviour":   {"policy", "internal/bucket"},
	"internal/bucket":      {},
	"internal/clockstep":   {},
	"internal/cursor":      {},
	"internal/customid":    {},
	"internal/hosts":       {},
	"internal/identity":    {"internal/cursor"},
	"internal/fingerprint": {"policy", "internal/sources", "github.com/cespare/xxhash/v2"},
	"internal/sources":     {"policy", "internal/bucket"},
	"internal/retry":       {},
	"internal/udp":         {"internal/addrtable", "internal/record", "golang.org/x/sys"},
	"internal/dtls": {
		"policy", "audit", "internal/record", "internal/handshake", "internal/handshake/pion2", "internal/handshake/pion3",
		"internal/addrtable", "internal/retry", "internal/sources", "internal/udp",
	},
	"internal/plaindtls": {"policy", "audit", "internal/record", "internal/handshake", "internal/dtls", "internal/udp"},
	"internal/cognito":   {},
	"internal/lanes":     {"internal/wire", "internal/record", "github.com/klauspost/reedsolomon"},
	"internal/matchdata": {"transport"},
	"internal/prefetch":  {},
	"internal/vectors":   {},

	"internal/testkit": {"token", "fleetkey", "internal/record", "internal/handshake", "internal/handshake/pion2", "internal/handshake/pion3"},
}

// pins are the versions that Nakama 3.40.0 links. A Go plugin must match its server in every package they share, so
// the library requires nothing above them.
var pins = map[string]string{
	"github.com/cespare/xxhash/v2":        "v2.3.0",
	"github.com/golang-jwt/jwt/v5":        "v5.3.1",
	"github.com/heroiclabs/nakama-common": "v1.47.0",
	"github.com/prometheus/client_golang": "v1.23.2",
	"github.com/prometheus/client_model":  "v0.6.2",
	"github.com/prometheus/common":        "v0.70.0",
	"github.com/prometheus/procfs":        "v0.21.1",
	"golang.org/x/crypto":                 "v0.54.0",
	"golang.org/x/net":                    "v0.57.0",
	"golang.org/x/sys":                    "v0.47.0",
	"google.golang.org/protobuf":          "v1.36.11",
}

const goPin = "1.26.5"

// "Imports point towards the leaves." ARCHITECTURE.md
func TestImports(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	for dir, files := range packages(t) {
		allowed, ok := imports[dir]
		if !ok {
			t.Errorf("package %s is missing from the import table", dir)
			continue
		}
		for name, file := range files {
			for _, imported := range importsOf(file) {
				if !mayImport(allowed, imported) {
					t.Errorf("%s imports %s, which the import table does not allow", path.Join(dir, name), imported)
				}
			}
		}
	}
}

// packageRow is a package in a table of ARCHITECTURE.md.
var packageRow = regexp.MustCompile("(?m)^\\| `([a-z0-9/-]+)` \\|")

// ARCHITECTURE.md has a row for every package, and for nothing else.
func TestArchitectureHasPackages(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{".": true}
	for _, row := range packageRow.FindAllStringSubmatch(string(text), -1) {
		rows[row[1]] = true
	}
	all := packages(t)
	for _, module := range []string{"fleet", "gateway", "filter"} {
		maps.Copy(all, packagesBelow(t, module))
	}
	for dir := range all {
		if !rows[dir] {
			t.Errorf("ARCHITECTURE.md lacks a row for %s", dir)
		}
	}
	for dir := range rows {
		if _, ok := all[dir]; !ok {
			t.Errorf("ARCHITECTURE.md has a row for %s, which is no package", dir)
		}
	}
}

// What a package of the module fleet links, whoever imports it links, too.
var fleetOwners = map[string][]string{
	"github.com/nats-io/nats-server": {"fleet/internal/natstest"},
	"github.com/nats-io/nats.go":     {"fleet/revocation/natscarrier", "fleet/keys/natskeys"},
	"github.com/spiffe/go-spiffe":    {"fleet/identity", "fleet/identity/identitytest"},
	"go.opentelemetry.io/otel":       {"fleet/tracing"},
}

// Each dependency of the module fleet has its place.
func TestFleetImports(t *testing.T) {
	checkModule(t, "fleet", fleetOwners, nil)
}

// Each dependency of the module gateway has its place, too, and the game behind it is never linked.
var gatewayOwners = map[string][]string{
	"github.com/prometheus/client_golang": {"gateway", "gateway/sidecar", "gateway/nakama"},
	"golang.org/x/sys":                    {"gateway/sidecar"},
	"github.com/gorilla/websocket":        {"gateway/nakama", "gateway/websocket"},
	"github.com/heroiclabs/nakama-common": {"gateway/nakama"},
	"google.golang.org/protobuf":          {"gateway/nakama"},
	"github.com/cilium/ebpf":              {},
	"filter":                              {}, // but for gateway/internal/filterfeed: whoever uses these packages links no BPF
}

// What the gateway for Nakama and the plugin have to say in the same way.
var gatewayShares = []string{"gateway/nakama internal/aging", "gateway/nakama internal/customid", "gateway/nakama internal/matchdata"}

func TestGatewayImports(t *testing.T) {
	checkModule(t, "gateway", gatewayOwners, gatewayShares)
}

// The library links no BPF: the module filter does.
var filterOwners = map[string][]string{
	"github.com/cilium/ebpf": {"filter"},
	"golang.org/x/sys":       {"filter"},
}

func TestFilterImports(t *testing.T) {
	checkModule(t, "filter", filterOwners, nil)
}

// checkModule holds a module to its table of dependencies. What users import of it needs no internal package of the library,
// but for those shared.
func checkModule(t *testing.T, module string, owners map[string][]string, shared []string) {
	t.Helper()
	for dir, files := range packagesBelow(t, module) {
		program := strings.HasPrefix(dir, module+"/internal/") || strings.HasPrefix(dir, module+"/cmd/") || strings.HasPrefix(dir, module+"/examples/")
		for name, file := range files {
			for _, imported := range importsOf(file) {
				for dependency, places := range owners {
					if strings.HasPrefix(imported, dependency) && !program && !slices.Contains(places, dir) {
						t.Errorf("%s imports %s, whose place is %v", path.Join(dir, name), imported, places)
					}
				}
				if strings.HasPrefix(imported, "internal/") && !program && !slices.Contains(shared, dir+" "+imported) {
					t.Errorf("%s imports %s: what users import does without", path.Join(dir, name), imported)
				}
			}
		}
	}
}

// "golang-jwt is imported by one file." ARCHITECTURE.md
func TestOneFileImportsJWT(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	var importers []string
	for dir, files := range packages(t) {
		for name, file := range files {
			if slices.Contains(importsOf(file), "github.com/golang-jwt/jwt/v5") {
				importers = append(importers, path.Join(dir, name))
			}
		}
	}
	if len(importers) > 1 {
		t.Errorf("golang-jwt is imported by %v, want one file", importers)
	}
}

func TestPackageComments(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	for dir, files := range packages(t) {
		documented := false
		for _, file := range files {
			documented = documented || file.Doc != nil
		}
		if !documented {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}

// A replace directive holds in the main module only: with one, what is tested here is not what users build.
func TestGoMod(t *testing.T) {
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Go      string
		Require []struct{ Path, Version string }
		Replace []struct{ Old, New struct{ Path string } }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if higher(t, mod.Go, goPin) {
		t.Errorf("go directive is %s, at most %s", mod.Go, goPin)
	}
	for _, r := range mod.Require {
		if pin, ok := pins[r.Path]; ok && higher(t, r.Version, pin) {
			t.Errorf("%s is required at %s, at most %s", r.Path, r.Version, pin)
		}
	}
	for _, r := range mod.Replace {
		t.Errorf("%s is replaced by %s", r.Old.Path, r.New.Path)
	}
}

// packages returns the non-test files of every package of this module, by folder and file name.
// A folder that holds only tests has an empty entry.
func packages(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	return packagesBelow(t, ".")
}

// packagesBelow is packages for a folder, which may be another module's.
func packagesBelow(t *testing.T, root string) map[string]map[string]*ast.File {
	t.Helper()
	found := map[string]map[string]*ast.File{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != root && outside(name):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(name))
		if found[dir] == nil {
			found[dir] = map[string]*ast.File{}
		}
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		found[dir][filepath.Base(name)] = file
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// outside reports whether the go command leaves folder dir out of this module.
func outside(dir string) bool {
	if dir == "." {
		return false
	}
	base := filepath.Base(dir)
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return base == "testdata" || base[0] == '.' || base[0] == '_' || err == nil
}

// importsOf returns what file imports, without the standard library; packages of this module by folder.
func importsOf(file *ast.File) []string {
	var paths []string
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value) // the parser has accepted it
		if host, _, _ := strings.Cut(imported, "/"); strings.Contains(host, ".") {
			paths = append(paths, strings.TrimPrefix(imported, module+"/"))
		}
	}
	return paths
}

// mayImport reports whether imported is one of allowed. A path of another module allows the packages below it too.
func mayImport(allowed []string, imported string) bool {
	host, _, _ := strings.Cut(imported, "/")
	foreign := strings.Contains(host, ".")
	return slices.ContainsFunc(allowed, func(a string) bool {
		return a == imported || a == "..." && !foreign || foreign && strings.HasPrefix(imported, a+"/")
	})
}

// higher reports whether a release is above another. Three plain numbers compare as Go versions do.
func higher(t *testing.T, release, pin string) bool {
	t.Helper()
	a, b := "go"+strings.TrimPrefix(release, "v"), "go"+strings.TrimPrefix(pin, "v")
	if !version.IsValid(a) || !version.IsValid(b) {
		t.Fatalf("cannot compare %s with %s", release, pin)
	}
	return version.Compare(a, b) > 0
}
