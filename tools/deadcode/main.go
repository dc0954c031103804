// Deadcode prints each function that no program and no test of its module reaches, as
// golang.org/x/tools/cmd/deadcode does for one module:
//
//	deadcode . ./fleet ./gateway
//
// Most of what a module links all of them link, the standard library above all. So they are read as
// one workspace, once, with each dependency in the newest version that one of them requires. What a
// module's programs and tests reach is asked of each module alone.
package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/tools/go/callgraph/rta"
	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/go/ssa/ssautil"
)

func main() {
	all, err := load(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "deadcode:", err)
		os.Exit(1)
	}
	for _, m := range divide(all) {
		m.report()
	}
}

// load loads the packages and tests of the modules in these folders, and all that they import.
func load(folders []string) ([]*packages.Package, error) {
	temporary, err := os.MkdirTemp("", "deadcode-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary)
	work := "go " + strings.TrimPrefix(runtime.Version(), "go") + "\n"
	var patterns []string
	for _, folder := range folders {
		folder, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		work += fmt.Sprintf("use %q\n", folder)
		patterns = append(patterns, folder+"/...")
	}
	file := filepath.Join(temporary, "go.work")
	if err := os.WriteFile(file, []byte(work), 0o600); err != nil {
		return nil, err
	}
	config := &packages.Config{
		Mode:  packages.LoadAllSyntax | packages.NeedModule,
		Tests: true,
		Env:   append(os.Environ(), "GOWORK="+file),
	}
	all, err := packages.Load(config, patterns...)
	if err != nil {
		return nil, err
	}
	if n := packages.PrintErrors(all); n > 0 || len(all) == 0 {
		return nil, fmt.Errorf("%d packages, %d errors", len(all), n)
	}
	return all, nil
}

// module is what one has of its own.
type module struct {
	program *ssa.Program
	entries []*ssa.Function // of programs and of tests
	written []*ssa.Function // but for generated ones
}

// divide makes one program of all packages, and says which of its functions are whose.
func divide(all []*packages.Package) map[string]*module {
	program, compiled := ssautil.AllPackages(all, ssa.InstantiateGenerics)
	modules := make(map[string]*module)
	for i, p := range all {
		m := modules[p.Module.Path]
		if m == nil {
			m = &module{program: program}
			modules[p.Module.Path] = m
		}
		if main := compiled[i].Func("main"); p.Name == "main" && main != nil {
			m.entries = append(m.entries, compiled[i].Func("init"), main)
		}
		for _, f := range p.Syntax {
			if !ast.IsGenerated(f) {
				m.written = append(m.written, functions(program, p, f)...)
			}
		}
	}
	program.Build()
	return modules
}

// functions returns those of a file, but for examples: one without output is only compiled.
func functions(program *ssa.Program, p *packages.Package, f *ast.File) (all []*ssa.Function) {
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && !strings.HasPrefix(d.Name.Name, "Example") {
			all = append(all, program.FuncValue(p.TypesInfo.Defs[d.Name].(*types.Func)))
		}
	}
	return all
}

// report prints what no entry reaches. A package is compiled anew for a test of its own, and maybe for
// others: a function is reached if it is in one of them, so its place in the source stands for it.
func (m *module) report() {
	place := func(f *ssa.Function) token.Position { return m.program.Fset.Position(f.Pos()) }
	reached := make(map[token.Position]bool)
	for f := range rta.Analyze(m.entries, false).Reachable {
		if f.Pos().IsValid() || f.Name() == "init" {
			reached[place(f)] = true
		}
	}
	for _, f := range m.written {
		if at := place(f); !reached[at] {
			reached[at] = true // printed once
			fmt.Printf("%v: unreachable func: %v\n", at, f)
		}
	}
}
