package sallyport_test

import (
	"encoding/json"
	"errors"
	"go/importer"
	gotoken "go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// public are the packages that users import. Everything else is internal, a program or a test.
var public = []string{
	"audit", "audit/chain", "dev", "fleetkey", "metrics", "nakamabridge", "netsim", "policy", "replay", "session", "statuspage", "token", "transport",
}

// A package at a place from where users can import it is public, and stands in the table.
func TestPublicPackages(t *testing.T) {
	for dir := range packages(t) {
		first, _, _ := strings.Cut(dir, "/")
		inside := slices.Contains([]string{".", "internal", "examples", "fuzz"}, first)
		if inside == slices.Contains(public, dir) {
			t.Errorf("package %s: public %v", dir, !inside)
		}
	}
}

// No exported signature or field mentions a type that a user cannot name: one of an internal
// package without an alias in a public one, or an unexported one.
func TestExportedSignatures(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	api := exportedAPI(t)
	w := &walk{t: t, named: map[*types.TypeName]bool{}, seen: map[types.Type]bool{}}
	for _, pkg := range api {
		for _, name := range pkg.Scope().Names() {
			if alias, ok := pkg.Scope().Lookup(name).(*types.TypeName); ok && alias.Exported() {
				if n, ok := types.Unalias(alias.Type()).(*types.Named); ok {
					w.named[n.Obj()] = true
				}
			}
		}
	}
	for _, pkg := range api {
		for _, name := range pkg.Scope().Names() {
			obj := pkg.Scope().Lookup(name)
			if !obj.Exported() {
				continue
			}
			w.path = pkg.Name() + "." + name
			w.typ(obj.Type())
			if n, ok := types.Unalias(obj.Type()).(*types.Named); ok && obj.Type() != nil {
				w.define(n)
			}
		}
	}
	if len(w.seen) < 100 {
		t.Errorf("%d types were looked at: has the walk lost its way?", len(w.seen))
	}
}

// Every enum says its value in words.
func TestEnumsHaveNames(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	enums := 0
	for _, pkg := range exportedAPI(t) {
		named := map[*types.Named]bool{}
		for _, name := range pkg.Scope().Names() {
			if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok && c.Exported() {
				if n, ok := types.Unalias(c.Type()).(*types.Named); ok && mine(n.Obj()) {
					named[n] = true
				}
			}
		}
		for n := range named {
			enums++
			basic, _ := n.Underlying().(*types.Basic)
			if text := basic != nil && basic.Info()&types.IsString != 0; !text && !has(n, "String") && !has(n, "Error") {
				t.Errorf("%s has no method String", n)
			}
		}
	}
	if enums < 10 {
		t.Errorf("%d enums were found", enums)
	}
}

// has reports whether a type has a method.
func has(n *types.Named, method string) bool {
	for m := range n.Methods() {
		if m.Name() == method {
			return true
		}
	}
	return false
}

// walk looks at every type that an exported name leads to.
type walk struct {
	t     *testing.T
	named map[*types.TypeName]bool // what users can name, of this module
	seen  map[types.Type]bool
	path  string
}

// define looks at the exported methods and fields of a named type.
func (w *walk) define(n *types.Named) {
	if w.seen[n] || !mine(n.Obj()) {
		return
	}
	w.seen[n] = true
	was := w.path
	for m := range n.Methods() {
		if m.Exported() {
			w.path = was + "." + m.Name()
			w.typ(m.Type())
		}
	}
	w.path = was
	w.typ(n.Underlying())
}

// typ looks at what a type is made of.
func (w *walk) typ(typ types.Type) {
	typ = types.Unalias(typ)
	if n, ok := typ.(*types.Named); ok {
		if o := n.Obj(); mine(o) && !w.named[o] {
			w.t.Errorf("%s mentions %s, which a user cannot name", w.path, n)
		}
		for arg := range n.TypeArgs().Types() {
			w.typ(arg)
		}
		w.define(n)
		return
	}
	if w.seen[typ] {
		return
	}
	w.seen[typ] = true
	was := w.path
	switch typ := typ.(type) {
	case *types.Struct:
		for f := range typ.Fields() {
			if w.path = was + "." + f.Name(); f.Exported() {
				w.typ(f.Type())
			} else if f.Embedded() {
				w.promoted(f.Type())
			}
		}
	case *types.Interface:
		for m := range typ.Methods() {
			if w.path = was + "." + m.Name(); m.Exported() {
				w.typ(m.Type())
			}
		}
	case *types.Signature:
		w.typ(typ.Params())
		w.typ(typ.Results())
	case *types.Tuple:
		for v := range typ.Variables() {
			w.typ(v.Type())
		}
	case *types.Map:
		w.typ(typ.Key())
		w.typ(typ.Elem())
	case interface{ Elem() types.Type }:
		w.typ(typ.Elem())
	}
	w.path = was
}

// promoted looks at what an embedded field lends: its type need not have a name for users.
func (w *walk) promoted(typ types.Type) {
	if p, ok := types.Unalias(typ).(*types.Pointer); ok {
		typ = p.Elem()
	}
	if n, ok := types.Unalias(typ).(*types.Named); ok {
		w.define(n)
	}
}

// mine reports whether a name is one of this module's.
func mine(o *types.TypeName) bool {
	return o.Pkg() != nil && strings.HasPrefix(o.Pkg().Path()+"/", module+"/")
}

// exportedAPI reads the public packages as the compiler has left them.
func exportedAPI(t *testing.T) (api []*types.Package) {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Export"}
	for _, dir := range public {
		args = append(args, "./"+dir)
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	imp := importer.ForCompiler(gotoken.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})
	for _, dir := range public {
		pkg, err := imp.Import(module + "/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		api = append(api, pkg)
	}
	return api
}
