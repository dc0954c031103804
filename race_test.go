package sallyport_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// concurrent are imports for which a package is tested under the race detector, which also checks
// the use of unsafe.Pointer.
var concurrent = []string{
	"sync", "sync/atomic", "testing/synctest", "unsafe", "net", "net/http", "golang.org/x/sync/errgroup",
	module + "/netsim", module + "/internal/handshake/internal/enginetest", module + "/transport",
}

// The packages that `make race` leaves out have no goroutine.
func TestSingleGoroutine(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^SINGLE := (.+)$`).FindSubmatch(makefile)
	if line == nil {
		t.Fatal("the Makefile names no such packages")
	}
	for dir := range strings.FieldsSeq(string(line[1])) {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Errorf("%s: no package, %v", dir, err)
		}
		for _, path := range paths {
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if why := concurrency(f); why != "" {
				t.Errorf("%s has %s: %s belongs under the race detector", path, why, dir)
			}
		}
	}
}

// concurrency names a reason to test a file under the race detector; none is the empty string.
func concurrency(f *ast.File) (why string) {
	for _, i := range f.Imports {
		if path, _ := strconv.Unquote(i.Path.Value); slices.Contains(concurrent, path) {
			return "import " + path
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			why = "a go statement"
		case *ast.SelectorExpr:
			if slices.Contains([]string{"Parallel", "RunParallel", "AfterFunc", "Go"}, n.Sel.Name) {
				why = "a call of " + n.Sel.Name
			}
		}
		return why == ""
	})
	return why
}

func TestConcurrency(t *testing.T) {
	for source, want := range map[string]string{
		"func f() {}":                                   "",
		"func f() { go f() }":                           "a go statement",
		"func f() { defer func() { go f() }() }":        "a go statement",
		"func TestF(t *testing.T) { t.Parallel() }":     "a call of Parallel",
		"func f(wg *WaitGroup) { wg.Go(func() {}) }":    "a call of Go",
		"import \"sync/atomic\"\n\nvar n atomic.Uint32": "import sync/atomic",
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n\n"+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := concurrency(f); got != want {
			t.Errorf("%q in %s, want %q", got, source, want)
		}
	}
}
