package token

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// keeper verifies tokens of the game, and keeps these claims.
func keeper(names ...string) *Verifier {
	p := profiles()[0]
	p.Keep = names
	return must(NewVerifier(p))
}

// "A value is a string, a float64, a bool or a []string, and nil if what the token has is none of these or does not fit."
func TestKeep(t *testing.T) {
	long := strings.Repeat("x", 256)
	list := func(n int, s string) (out []string) {
		for range n {
			out = append(out, s)
		}
		return out
	}
	for name, c := range map[string]struct{ value, want any }{
		"text":                    {"gold", "gold"},
		"empty text":              {"", ""},
		"256 bytes":               {long, long},
		"257 bytes":               {long + "x", nil},
		"control character":       {"a\nb", nil},
		"number":                  {7, 7.0},
		"fraction":                {json.RawMessage("-1.5e1"), -15.0},
		"largest number":          {json.RawMessage("9007199254740991"), 9007199254740991.0},
		"an id that would change": {json.RawMessage("9007199254740993"), nil},
		"beyond float64":          {json.RawMessage("1e400"), nil},
		"true":                    {true, true},
		"false":                   {false, false},
		"list":                    {[]string{"a", "b"}, []string{"a", "b"}},
		"empty list":              {[]string{}, []string{}},
		"32 texts":                {list(32, "x"), list(32, "x")},
		"33 texts":                {list(33, "x"), nil},
		"list with a number":      {[]any{"a", 1}, nil},
		"list with a long text":   {[]any{"a", long + "x"}, nil},
		"list in a list":          {[]any{[]any{"a"}}, nil},
		"1,024 bytes":             {list(4, long), list(4, long)},
		"1,280 bytes":             {list(5, long), nil},
		"object":                  {fields{"a": 1}, nil},
	} {
		got, err := verify(t, keeper("rank"), game().with("rank", c.value).String())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v, present := got.Custom["rank"]; !present || !reflect.DeepEqual(v, c.want) {
			t.Errorf("%s: %#v, want %#v", name, v, c.want)
		}
	}
}

// "All texts together, in the order of Keep, have at most 1,024 bytes": the first ones keep their place.
func TestKeepTogether(t *testing.T) {
	long := strings.Repeat("x", 256)
	f := game().with("a", long).with("b", []string{long, long, long}).with("c", "c").with("d", true).with("Rank", "up").with("null", nil)
	got, err := verify(t, keeper("a", "b", "c", "d", "rank", "null", "sub"), f.String())
	want := map[string]any{"a": long, "b": []string{long, long, long}, "c": nil, "d": true, "sub": nil}
	if err != nil || !reflect.DeepEqual(got.Custom, want) {
		t.Errorf("%v, %v", got, err)
	}
	for name, v := range map[string]*Verifier{"nothing to keep": keeper(), "nothing there": keeper("rank")} {
		if got, err := verify(t, v, f.String()); err != nil || got.Custom != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
