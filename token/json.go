package token

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// An object is a JSON object read strictly. Its values are object, []any, string, json.Number, bool
// and nil. Names are compared exactly: a lookup is the only way to a claim.
type object map[string]any

// parseObject parses b, which must be exactly one JSON object: valid UTF-8, no name twice in one
// object, at most maxMembers names in each and maxDepth levels, and no replacement characters.
func parseObject(b []byte) (object, error) {
	// json.Valid checks the grammar; the walk over the tokens checks the rest.
	if !utf8.Valid(b) || !json.Valid(b) {
		return nil, ErrMalformed
	}
	w := walker{json.NewDecoder(bytes.NewReader(b))}
	w.UseNumber()
	v, err := w.value(maxDepth)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, ErrMalformed
	}
	return o, nil
}

// A walker builds values from tokens. It meets valid JSON only.
type walker struct{ *json.Decoder }

// value reads the next value, which may nest depth levels.
func (w walker) value(depth int) (any, error) {
	t, err := w.Token()
	if err != nil {
		return nil, ErrMalformed
	}
	switch t := t.(type) {
	case json.Delim:
		if depth == 0 {
			return nil, ErrMalformed
		}
		if t == '{' {
			return w.object(depth - 1)
		}
		return w.array(depth - 1)
	case string:
		return t, readable(t)
	}
	return t, nil
}

// object reads names and values up to the closing brace.
func (w walker) object(depth int) (any, error) {
	o := object{}
	for w.More() {
		t, err := w.Token()
		name, ok := t.(string)
		if err != nil || !ok || readable(name) != nil || len(o) == maxMembers {
			return nil, ErrMalformed
		}
		if _, twice := o[name]; twice {
			return nil, ErrMalformed
		}
		if o[name], err = w.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := w.Token()
	return o, err
}

// array reads values up to the closing bracket.
func (w walker) array(depth int) (any, error) {
	var a []any
	for w.More() {
		v, err := w.value(depth)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := w.Token()
	return a, err
}

// readable refuses U+FFFD, which the decoder writes for half a surrogate pair: two different names
// could become one.
func readable(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return ErrMalformed
	}
	return nil
}

// exact refuses an object that has one of names in another letter case: a reader that folds case,
// as encoding/json does, would take "EXP" for exp and "ſub" (U+017F) for sub.
func (o object) exact(names ...string) error {
	for name := range o {
		for _, ours := range names {
			if name != ours && strings.EqualFold(name, ours) {
				return ErrMalformed
			}
		}
	}
	return nil
}
