package sallyport_test

import (
	"go/ast"
	"path"
	"strings"
	"testing"
)

// "A doc comment starts with the name": that of a function or type, exported or not, so that a
// renaming does not leave the old name behind. A quoted rule may stand in its place.
func TestCommentsStartWithTheName(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, and the same whatever is linked")
	}
	for dir, files := range packages(t) {
		if dir == "internal/handshake/internal/enginetest" { // tests in all but name
			continue
		}
		for name, file := range files {
			for _, d := range file.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					checkComment(t, path.Join(dir, name), d.Name.Name, d.Doc)
				case *ast.GenDecl:
					if len(d.Specs) != 1 {
						continue
					}
					if s, ok := d.Specs[0].(*ast.TypeSpec); ok {
						checkComment(t, path.Join(dir, name), s.Name.Name, d.Doc)
					}
				}
			}
		}
	}
}

func checkComment(t *testing.T, file, name string, doc *ast.CommentGroup) {
	text := doc.Text()
	if text == "" || strings.HasPrefix(text, `"`) || strings.HasPrefix(text, "+checklocks") {
		return
	}
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	if rest, ok := strings.CutPrefix(text, name); !ok || rest == "" || !strings.ContainsRune(" ,:'\n", rune(rest[0])) {
		t.Errorf("%s: the comment of %s begins %.60q", file, name, text)
	}
}
