package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// RFC 8259, and no reading that another parser could differ from.
func TestParseObject(t *testing.T) {
	for _, good := range goodObjects {
		if _, err := parseObject([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range badObjects {
		if o, err := parseObject([]byte(bad)); err == nil {
			t.Errorf("%q: read as %v", bad, o)
		}
	}
}

var goodObjects = []string{
	`{}`, ` { } `, `{"a":null}`, `{"a":[1,2.5,-3e2,"x",true,false,null,{}]}`, `{"":1}`, `{"a":"\u0000\n\/"}`,
	`{"x":` + nested(7) + `}`, `{"a":{"a":{"a":1}}}`, `{"a":"\ud83c\udfae"}`, `{"a":"\ufffd"}`, "{\"a\ufffd\":1}", `{"a":"\\ud800"}`, `{"a":"\"\ud83c\udfae\\"}`,
}

var badObjects = []string{
	``, ` `, `null`, `[]`, `"x"`, `1`, `{`, `}`, `{}{}`, `{},`, `{} x`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`,
	`{'a':1}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":1e}`,

	`{"a":-}`, `{"a":[1,]}`, `{"a":tru}`, `{"a":True}`,
	`{"a":"` + "\n" + `"}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":1 /* x */}`, "\ufeff{}", `{"a":1}` + "\x00",
	`{"a":1,"a":1}`, `{"a":{"b":1,"b":2}}`, `{"a":1,"\u0061":2}`, `{"":1,"":2}`, `{"a":[{"b":1,"b":1}]}`,
	`{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"\ud800":1}`, `{"a":"` + "\xff" + `"}`, `{"a":"` + "\xc0\x80" + `"}`,
	`{"a":"\ud800\u0041"}`, `{"a":"\ud800\\udc00"}`, `{"a":"\\\ud800"}`, `{"a":["\udfff"]}`,
	`{"x":` + nested(8) + `}`, strings.Repeat(`{"a":`, 9) + `1` + strings.Repeat(`}`, 9), `{` + numbers(`"n%d":0,`, 256) + `"z":0}`,
}

// FuzzParseObject compares the reader with its slow twin.
func FuzzParseObject(f *testing.F) {
	for _, o := range append(goodObjects, badObjects...) {
		f.Add([]byte(o))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseObject(b)
		if !utf8.Valid(b) || !json.Valid(b) || lone(b) {
			if err == nil {
				t.Errorf("%q: read as %v", b, got)
			}
			return
		}
		d := decoder{json.NewDecoder(bytes.NewReader(b))}
		d.UseNumber()
		v, slow := d.value(maxDepth)
		want, ok := v.(object)
		if slow == nil && !ok {
			slow = errJSON
		}
		if !errors.Is(err, slow) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v, want %v, %v", b, got, err, want, slow)
		}
	})
}

// decoder is the slow twin of walker.
type decoder struct{ *json.Decoder }

// value reads the next value, which may nest depth levels.
func (w decoder) value(depth int) (any, error) {
	t, err := w.Token()
	if err != nil {
		return nil, errJSON
	}
	delim, nests := t.(json.Delim)
	switch {
	case !nests:
		return t, nil
	case depth == 0:
		return nil, errDepth
	case delim == '{':
		return w.object(depth - 1)
	}
	return w.array(depth - 1)
}

// object reads names and values up to the closing brace.
func (w decoder) object(depth int) (any, error) {
	o := object{}
	for w.More() {
		t, err := w.Token()
		name, ok := t.(string)
		switch _, twice := o[name]; {
		case err != nil || !ok:
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
	_, err := w.Token()
	return o, err
}

// array reads values up to the closing bracket.
func (w decoder) array(depth int) (any, error) {
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
