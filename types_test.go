package sallyport_test

import (
	"go/ast"
	"go/types"
	"strings"
	"testing"
)

// The limits of TestTypesStaySmall.
const (
	maxFields  = 15 // of a struct that code works on
	maxMethods = 20 // of a type, beside what users call
)

// What users fill in or read whole is a list, not a concern that has grown.
var lists = map[string]bool{"Config": true, "ClientStats": true}

// "In `transport` and `internal/dtls` a struct has at most 15 fields, and a type at most 20 methods beside
// the exported ones of `transport`." ARCHITECTURE.md
func TestTypesStaySmall(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	all := packages(t)
	for _, dir := range []string{"transport", "internal/dtls"} {
		methods := map[string]int{}
		for _, file := range all[dir] {
			for _, decl := range file.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok || f.Recv == nil || dir == "transport" && f.Name.IsExported() && ast.IsExported(receiver(f)) {
					continue
				}
				methods[receiver(f)]++
			}
			ast.Inspect(file, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok || lists[spec.Name.Name] {
					return true
				}
				if s, ok := spec.Type.(*ast.StructType); ok && s.Fields.NumFields() > maxFields {
					t.Errorf("%s.%s has %d fields, at most %d: some of them are a concern of their own", dir, spec.Name.Name, s.Fields.NumFields(), maxFields)
				}
				return true
			})
		}
		for name, n := range methods {
			if n > maxMethods {
				t.Errorf("%s.%s has %d methods, at most %d: some of them belong to what they work on", dir, name, n, maxMethods)
			}
		}
	}
}

// receiver returns the name of the type whose method f is.
func receiver(f *ast.FuncDecl) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*"), "[")
	return name
}
