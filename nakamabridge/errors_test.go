package nakamabridge

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	identity "github.com/sallyport/sallyport/token"
)

// Every error that package token exports for a refused token is logged by its own name.
func TestRefusalsAreComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../token/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want, have []string
	for _, decl := range file.Decls {
		if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, spec := range g.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") && name.Name != "ErrKey" && name.Name != "ErrConfig" {
						want = append(want, name.Name)
					}
				}
			}
		}
	}
	source, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(source, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && fmt.Sprint(s.X) == "token" {
			have = append(have, s.Sel.Name)
		}
		return true
	})
	for _, name := range want {
		if !slices.Contains(have, name) {
			t.Errorf("token.%s is not among the refusals", name)
		}
	}
}

// An error that matches a more general one is logged as what it is.
func TestCause(t *testing.T) {
	t.Parallel()
	for i, known := range refusals {
		wrapped := fmt.Errorf("%w: secret", known)
		if got := cause(wrapped); !errors.Is(got, known) || got.Error() != known.Error() {
			t.Errorf("refusal %d: %v is logged as %v", i, known, got)
		}
	}
	if got := cause(identity.ErrLife); got != identity.ErrLife {
		t.Errorf("ErrLife is logged as %v", got)
	}
}
