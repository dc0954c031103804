package sallyport_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// listed is a package as `go list` describes it; those of a test program are variants of their own.
type listed struct {
	ImportPath, Dir, ForTest  string
	GoFiles                   []string
	ImportMap                 map[string]string
	TestGoFiles, XTestGoFiles []string
	Module                    *struct{ Main bool }
}

// list returns packages of this module as they are built for a system, with what they import first.
func list(t *testing.T, system string, flags ...string) (all []listed) {
	t.Helper()
	goos, goarch, _ := strings.Cut(system, "/")
	cmd := exec.Command("go", append(append([]string{"list", "-json"}, flags...), "./...")...)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// sources parses each file once.
type sources struct {
	*token.FileSet
	files map[string]*ast.File
}

func (s *sources) parse(t *testing.T, path string) *ast.File {
	if f := s.files[path]; f != nil {
		return f
	}
	f, err := parser.ParseFile(s.FileSet, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	s.files[path] = f
	return f
}

// Code and tests compile on systems on which CI does not run. Types are checked from the sources,
// since to compile the standard library for each of them takes much longer.
func TestOtherSystems(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	s := &sources{token.NewFileSet(), make(map[string]*ast.File)}
	for _, system := range []string{"linux/386", "darwin/arm64", "windows/amd64"} {
		checked := map[string]*types.Package{"unsafe": types.Unsafe}
		ours := 0
		for _, p := range list(t, system, "-deps", "-test") {
			if p.ImportPath == "unsafe" || strings.HasSuffix(p.ImportPath, ".test") {
				continue
			}
			own := p.Module != nil && p.Module.Main
			config := types.Config{
				Sizes:            types.SizesFor("gc", system[strings.IndexByte(system, '/')+1:]),
				IgnoreFuncBodies: !own,
				Importer:         imported{checked, p.ImportMap},
				Error: func(err error) {
					if own {
						t.Errorf("%s: %v", system, err)
					}
				},
			}
			var files []*ast.File
			for _, name := range p.GoFiles {
				files = append(files, s.parse(t, filepath.Join(p.Dir, name)))
			}
			path, _, _ := strings.Cut(p.ImportPath, " ")
			checked[p.ImportPath], _ = config.Check(path, s.FileSet, files, nil) // Error has the errors
			if own {
				ours++
			}
		}
		if ours == 0 {
			t.Errorf("%s: no package of this module", system)
		}
	}
}

// imported finds what a package imports among those that have been checked.
type imported struct {
	checked map[string]*types.Package
	variant map[string]string
}

// Import implements types.Importer.
func (i imported) Import(path string) (*types.Package, error) {
	if v, ok := i.variant[path]; ok {
		path = v
	}
	if p := i.checked[path]; p != nil {
		return p, nil
	}
	return nil, errors.New("not among what go list has listed before: " + path)
}

// `make vet` has go vet look at two systems, which see every file between them, and both sizes of
// a word.
func TestVetSeesEveryFile(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	seen := make(map[string]bool)
	files := func(system string) (all []string) {
		for _, p := range list(t, system) {
			for _, name := range append(append(p.GoFiles, p.TestGoFiles...), p.XTestGoFiles...) {
				all = append(all, filepath.Join(p.Dir, name))
			}
		}
		return all
	}
	for _, system := range []string{"linux/amd64", "windows/386"} {
		for _, f := range files(system) {
			seen[f] = true
		}
	}
	for _, system := range []string{"linux/386", "darwin/arm64", "windows/amd64"} {
		for _, f := range files(system) {
			if !seen[f] {
				t.Errorf("%s: go vet sees %s on neither of its systems", system, f)
			}
		}
	}
}
