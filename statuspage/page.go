package statuspage

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
)

//go:embed page.html
var source []byte

// page is the HTML, the same for everybody, and its Content-Security-Policy.
type page struct {
	html   []byte // constant
	policy string // constant
}

// newPage returns the page with a game's panel; nil means none.
func newPage(panel *Panel) *page {
	text := source
	if panel != nil {
		section := fmt.Sprintf(`<section id="panel"><h2>%s</h2><canvas id="picture" role="img" aria-label="%[1]s"></canvas></section>`, html.EscapeString(panel.Title))
		text = bytes.Replace(text, []byte("<!-- panel -->"), []byte(section), 1)
		text = bytes.Replace(text, []byte("<!-- script -->"), []byte("<script>"+panel.Script+"</script>"), 1)
	}
	text = newlines(text)
	return &page{text, fmt.Sprintf("default-src 'none'; script-src%s; style-src%s; connect-src 'self'; img-src data:; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
		hashes(text, "script"), hashes(text, "style"))}
}

// newlines ends lines as a browser does before it hashes an element (HTML, 13.2.3.5): a checkout on
// Windows, or a panel's script from there, has others.
func newlines(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
}

// hashes are how a policy names the elements of a kind in the page (CSP Level 3, 2.3.1): by the
// SHA-256 of their text.
func hashes(text []byte, element string) (list string) {
	for {
		_, rest, found := bytes.Cut(text, []byte("<"+element+">"))
		if !found {
			return list
		}
		var inside []byte
		inside, text, _ = bytes.Cut(rest, []byte("</"+element+">"))
		sum := sha256.Sum256(inside)
		list += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
}

func (p *page) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(p.html) //nolint:errcheck // the reader has gone
}
