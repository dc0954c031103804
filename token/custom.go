package token

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// custom returns the claims that the profile's Keep names and o has, as Claims.Custom describes
// them, or nil.
func (p *Profile) custom(o object) map[string]any {
	var kept map[string]any
	room := maxCustom
	for _, name := range p.Keep {
		v := o[name]
		if v == nil { // null says as much as absence
			continue
		}
		if kept == nil {
			kept = make(map[string]any, len(p.Keep))
		}
		var size int
		if kept[name], size = custom(v); size > room {
			kept[name] = nil
		} else {
			room -= size
		}
	}
	return kept
}

// custom returns the value of a claim that is kept, or nil if it is of no such type or too long,
// and how many bytes of text it has.
func custom(v any) (value any, size int) {
	switch v := v.(type) {
	case bool:
		return v, 0
	case json.Number:
		return number(v), 0
	case string:
		if len(v) > maxName || strings.ContainsFunc(v, unicode.IsControl) {
			return nil, 0
		}
		return v, len(v)
	case []any:
		list := make([]string, len(v))
		for i := range v {
			s, n := custom(v[i])
			text, ok := s.(string)
			if !ok || len(v) > maxListed {
				return nil, 0
			}
			list[i], size = text, size+n
		}
		return list, size
	}
	return nil, 0
}

// number returns n as a float64, or nil if it is a larger whole number than a float64 tells from
// its neighbours: an id must not become another one.
func number(n json.Number) any {
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f >= 1<<53 || f <= -1<<53 {
		return nil
	}
	return f
}

// badKeep reports whether names cannot be Profile.Keep.
func badKeep(names []string) bool {
	for i, name := range names {
		if name == "" || len(name) > maxText || slices.Contains(names[:i], name) {
			return true
		}
	}
	return len(names) > maxKeep
}
