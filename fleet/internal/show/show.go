// Package show prints what a fleet's program has found.
package show

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// maxShown is how many bytes of a text are shown.
const maxShown = 256

// Safe returns s for a terminal: what does not print is replaced, and what is longer than 256 bytes
// is cut.
func Safe(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
	if len(s) > maxShown {
		return strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return s
}

// Count returns a number and a noun, in the plural unless it is one.
func Count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// JSON prints a value on a line. It must be one that encoding/json takes.
func JSON(w io.Writer, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(w, "%s\n", b)
}
