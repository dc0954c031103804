package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The rules of RFC 8259 and I-JSON that encoding/json alone does not hold to.
func TestParseObject(t *testing.T) {
	t.Parallel()
	type values struct {
		s string
		n uint8
		t time.Time
	}
	for body, want := range map[string]string{
		`{}`:                          "",
		` { "s" : "x" , "n" : 255 } `: "",
		`{"s":"\u00e9","t":"2026-11-29T08:00:00Z"}`: "",
		``:                                  "body",
		`[]`:                                "body",
		`null`:                              "body",
		`"s"`:                               "body",
		`{`:                                 "body",
		`{}{}`:                              "body",
		`{} x`:                              "body",
		`{"s":"x"`:                          "body",
		`{"s":"x",}`:                        "body",
		`{"s" "x"}`:                         "body",
		`{"s":"x","s":"y"}`:                 "body", // which one counts?
		`{"s":"x","\u0073":"y"}`:            "body", // the same name
		`{"S":"x"}`:                         "body", // encoding/json takes it for s
		`{"other":1}`:                       "body",
		`{"s":"x","t":null}`:                "body t",
		`{"s":null}`:                        "body s",
		`{"s":""}`:                          "body s",
		`{"s":1}`:                           "body s",
		`{"s":["x"]}`:                       "body s",
		`{"n":256}`:                         "body n",
		`{"n":-1}`:                          "body n",
		`{"n":1.5}`:                         "body n",
		`{"n":1e1}`:                         "body n",
		`{"n":"1"}`:                         "body n",
		`{"t":"29.11.2026"}`:                "body t",
		`{"t":"0001-01-01T00:00:00Z"}`:      "body t", // what Go has for none: for good, or a slip?
		`{"t":"0001-01-01T01:00:00+01:00"}`: "body t",
		"{\"s\":\"\xff\"}":                  "body", // no UTF-8
		"{\"s\":\"a\x00\"}":                 "body",
		"\ufeff{}":                          "body",
		`{"s":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`: "body",
	} {
		var v values
		got := ""
		if p := parseObject([]byte(body), map[string]any{"s": &v.s, "n": &v.n, "t": &v.t}); p != nil {
			got = strings.Trim(p.Label()+" "+p.Field, " ")
		}
		if got != want {
			t.Errorf("%.60q: %q, want %q", body, got, want)
		}
	}
}

// Whatever comes, parseObject takes what encoding/json takes for the same, or refuses it; and no
// problem quotes it.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{"session":"00112233445566778899aabbccddeeff","reason":130,"detail":"away"}`, `{"subject":"a","issuer":"b","for":"1h"}`,
		`{"subject":"a","subject":"b"}`, `{"until":"2026-11-29T08:00:00Z"}`, `{`, `null`, `{"reason":1e2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var q, twin BanRequest
		p := parseObject(body, q.members(map[string]any{"for": &q.For, "until": &q.Until, "reason": &q.Reason, "note": &q.Note}))
		if p != nil {
			if p.Status != http.StatusBadRequest || p.Detail != problemBody.Detail {
				t.Errorf("%+v", p)
			}
			return
		}
		if err := json.Unmarshal(body, &twin); err != nil || q != twin {
			t.Errorf("%q: %+v, and encoding/json has %+v: %v", body, q, twin, err)
		}
	})
}
