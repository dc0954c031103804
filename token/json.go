package token

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An object is a JSON object read strictly. Its values are object, []any, string, json.Number, bool
// and nil. Names are compared exactly: a lookup is the only way to a claim.
type object map[string]any

// Faults of form. A name is one of an object, in the header or in the claims.
var (
	errJSON    = malformed("", "header or claims are not one JSON object in UTF-8")
	errTwice   = malformed("", "an object has one name twice")
	errDepth   = malformed("", "objects are nested deeper than 8 levels")
	errMembers = malformed("", "an object has more than 256 names")
)

// parseObject parses b, which must be exactly one JSON object: valid UTF-8, no name twice in one
// object, at most maxMembers names in each and maxDepth levels, and no half of a surrogate pair.
func parseObject(b []byte) (object, error) {
	// json.Valid checks the grammar; the walk over the tokens checks the rest.
	if !utf8.Valid(b) || !json.Valid(b) || lone(b) {
		return nil, errJSON
	}
	w := walker{b}
	v, err := w.value(maxDepth)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, errJSON
	}
	return o, nil
}

// A walker builds values from valid JSON, of which rest has not been read. It is some ten times as
// fast as a json.Decoder, because whoever sends a token has it read before its signature is checked.
type walker struct{ rest []byte }

// next skips white space, commas and colons, and returns the byte that the next value, name or
// closing bracket begins with.
func (w *walker) next() byte {
	w.rest = bytes.TrimLeft(w.rest, " \t\r\n,:")
	return w.rest[0]
}

// take returns the next n bytes.
func (w *walker) take(n int) []byte {
	b := w.rest[:n]
	w.rest = w.rest[n:]
	return b
}

// value reads the next value, which may nest depth levels.
func (w *walker) value(depth int) (any, error) {
	c := w.next()
	if depth == 0 && (c == '{' || c == '[') {
		return nil, errDepth
	}
	switch c {
	case '{':
		return w.object(depth - 1)
	case '[':
		return w.array(depth - 1)
	case '"':
		return w.text()
	}
	n := bytes.IndexAny(w.rest, " \t\r\n,]}")
	if n < 0 {
		n = len(w.rest)
	}
	switch word := string(w.take(n)); word {
	case "true", "false":
		return word == "true", nil
	case "null":
		return nil, nil //nolint:nilnil // JSON's null
	default:
		return json.Number(word), nil
	}
}

// text reads a string.
func (w *walker) text() (s string, err error) {
	n := 1
	for w.rest[n] != '"' {
		if w.rest[n] == '\\' {
			n++
		}
		n++
	}
	b := w.take(n + 1)
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b[1:n]), nil
	}
	return s, json.Unmarshal(b, &s)
}

// object reads names and values up to the closing brace.
func (w *walker) object(depth int) (any, error) {
	o := object{}
	for w.take(1); w.next() != '}'; {
		name, err := w.text()
		switch _, twice := o[name]; {
		case err != nil:
			return nil, errJSON
		case twice:
			return nil, errTwice
		case len(o) == maxMembers:
			return nil, errMembers
		}
		if o[name], err = w.value(depth); err != nil {
			return nil, err
		}
	}
	w.take(1)
	return o, nil
}

// array reads values up to the closing bracket.
func (w *walker) array(depth int) (any, error) {
	var a []any
	for w.take(1); w.next() != ']'; {
		v, err := w.value(depth)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	w.take(1)
	return a, nil
}

// lone reports whether b, which is valid JSON, has half a surrogate pair. The decoder would write
// U+FFFD for it: two different names could become one.
func lone(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\') // only in strings
		if i < 0 {
			return false
		}
		r, n := escaped(b[i:])
		if b = b[i+n:]; utf16.IsSurrogate(r) {
			second, n := escaped(b)
			if utf16.DecodeRune(r, second) == utf8.RuneError {
				return true
			}
			b = b[n:]
		}
	}
}

// escaped returns the code unit that b begins with, if as \uXXXX, and the length of the escape.
func escaped(b []byte) (rune, int) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, min(2, len(b))
	}
	n, _ := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), 6
}

// exact refuses an object that has one of names in another letter case: a reader that folds case,
// as encoding/json does, would take "EXP" for exp and "ſub" (U+017F) for sub.
func (o object) exact(names ...string) error {
	for name := range o {
		for _, ours := range names {
			if name != ours && strings.EqualFold(name, ours) {
				return malformed(ours, ours+": a name equals this one in another letter case")
			}
		}
	}
	return nil
}
