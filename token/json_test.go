package token

import (
	"strings"
	"testing"
)

// RFC 8259, and no reading that another parser could differ from.
func TestParseObject(t *testing.T) {
	for _, good := range []string{
		`{}`, ` { } `, `{"a":null}`, `{"a":[1,2.5,-3e2,"x",true,false,null,{}]}`, `{"":1}`, `{"a":"\u0000\n\/"}`,
		`{"x":` + nested(7) + `}`, `{"a":{"a":{"a":1}}}`, `{"a":"\ud83c\udfae"}`,
	} {
		if _, err := parseObject([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		``, ` `, `null`, `[]`, `"x"`, `1`, `{`, `}`, `{}{}`, `{},`, `{} x`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`,
		`{'a':1}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":1e}`,

		`{"a":-}`, `{"a":[1,]}`, `{"a":tru}`, `{"a":True}`,
		`{"a":"` + "\n" + `"}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":1 /* x */}`, "\ufeff{}", `{"a":1}` + "\x00",
		`{"a":1,"a":1}`, `{"a":{"b":1,"b":2}}`, `{"a":1,"\u0061":2}`, `{"":1,"":2}`, `{"a":[{"b":1,"b":1}]}`,
		`{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"\ud800":1}`, `{"a":"` + "\xff" + `"}`, `{"a":"` + "\xc0\x80" + `"}`,
		`{"a":"\ufffd"}`,
		`{"x":` + nested(8) + `}`, strings.Repeat(`{"a":`, 9) + `1` + strings.Repeat(`}`, 9), `{` + numbers(`"n%d":0,`, 64) + `"z":0}`,
	} {
		if o, err := parseObject([]byte(bad)); err == nil {
			t.Errorf("%q: read as %v", bad, o)
		}
	}
}
