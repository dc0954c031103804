package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

var testKey = []byte("0123456789abcdef")

// record returns the lines of a sink with testKey that is closed after events.
func record(t *testing.T, events ...Event) []string {
	t.Helper()
	var b bytes.Buffer
	j, err := NewJSON(&b, JSONConfig{Key: testKey, PerSecond: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		j.Record(e)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func fields(t *testing.T, line string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return m
}

// The package comment's table, attribute by attribute.
func TestLine(t *testing.T) {
	got := record(t, Event{
		Time:     time.Date(2000, 1, 1, 1, 0, 0, 123_456_789, time.FixedZone("", 3600)),
		Decision: Reject, Reason: DropToken,
		Issuer: "https://issuer.example", Subject: "player-7", TokenID: "jti-7", Session: 99,
		Prefix: netip.MustParsePrefix("192.0.2.0/24"), Previous: netip.MustParsePrefix("198.51.100.0/24"),
		Part: "network", Version: "1.2.3", Trace: "4bf92f3577b34da6a3ce929d0e0e4736",
		Platform: "linux", Build: "1.2", Scope: "match-3", Detail: "signature", Cause: "token-signature",
	}, Event{Time: time.Unix(0, 0), Decision: Alarm, Detail: "wall clock stepped"}, Event{
		Time: time.Unix(0, 0), Decision: Deny, Actor: "spiffe://fleet.test/role/analytics", Operation: "kick", Cause: "forbidden",
		Prefix: netip.MustParsePrefix("192.0.2.0/24"),
	})
	want := []string{
		`{"decision":"reject","reason":"token","time":946684800123,"class_uid":3002,"category_uid":3,"activity_id":1,` +
			`"activity_name":"Logon","type_uid":300201,"severity_id":2,"status_id":2,"status_code":"token",` +
			`"status_detail":"The identity token was refused for its form, signature, issuer, audience or times.",` +
			`"disposition_id":26,"message":"signature",` +
			`"user":{"uid":"` + pseudonymOf("subject", "player-7") + `","domain":"https://issuer.example",` +
			`"credential_uid":"` + pseudonymOf("token", "jti-7") + `"},"session":{"uid":"99"},` +
			`"src_endpoint":{"name":"192.0.2.0/24"},"dst_endpoint":{"svc_name":"Sallyport"},` +
			`"metadata":{"version":"1.8.0","product":{"name":"Sallyport","vendor_name":"Sallyport","version":"1.2.3"},` +
			`"profiles":["security_control"],"correlation_uid":"4bf92f3577b34da6a3ce929d0e0e4736"},` +
			`"unmapped":{"scope":"match-3","platform":"linux","build":"1.2","cause":"token-signature","part":"network","previous":"198.51.100.0/24"}}` + "\n",
		`{"decision":"alarm","time":0,"class_uid":4001,"category_uid":4,"activity_id":99,"activity_name":"alarm",` +
			`"type_uid":400199,"severity_id":4,"status_id":0,"disposition_id":19,"message":"wall clock stepped",` +
			`"dst_endpoint":{"svc_name":"Sallyport"},` +
			`"metadata":{"version":"1.8.0","product":{"name":"Sallyport","vendor_name":"Sallyport"},"profiles":["security_control"]}}` + "\n",
		`{"decision":"deny","time":0,"class_uid":6003,"category_uid":6,"activity_id":99,"activity_name":"deny",` +
			`"type_uid":600399,"severity_id":3,"status_id":2,"disposition_id":26,` +
			`"actor":{"app_uid":"spiffe://fleet.test/role/analytics"},"api":{"operation":"kick"},` +
			`"src_endpoint":{"name":"192.0.2.0/24"},"dst_endpoint":{"svc_name":"Sallyport"},` +
			`"metadata":{"version":"1.8.0","product":{"name":"Sallyport","vendor_name":"Sallyport"},"profiles":["security_control"]},` +
			`"unmapped":{"cause":"forbidden"}}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// pseudonymOf is "32 hex digits of HMAC-SHA256(key, label ‖ 0 ‖ value)".
func pseudonymOf(label, value string) string {
	m := hmac.New(sha256.New, testKey)
	fmt.Fprintf(m, "%s\x00%s", label, value)
	return hex.EncodeToString(m.Sum(nil))[:32]
}

// "Key turns subjects and token ids into pseudonyms, which are the same for as long as the key is."
func TestPseudonyms(t *testing.T) {
	subject := func(key []byte) string {
		var b bytes.Buffer
		j, err := NewJSON(&b, JSONConfig{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		j.Record(Event{Decision: Accept, Subject: "same", TokenID: "same"})
		j.Close()
		u := fields(t, b.String())["user"].(map[string]any)
		if u["uid"] == u["credential_uid"] {
			t.Error("a subject and a token id have one pseudonym")
		}
		return u["uid"].(string)
	}
	key := slices.Clone(testKey)
	if subject(key) != subject(testKey) {
		t.Error("one key, two pseudonyms")
	}
	if key[0]++; subject(key) == subject(testKey) {
		t.Error("two keys, one pseudonym")
	}
	if first := subject(nil); first == subject(nil) {
		t.Error("two processes, one pseudonym")
	}
}

// "What does not print is replaced by U+FFFD, so that no viewer takes it for a line or for an escape sequence."
func TestHostileText(t *testing.T) {
	for name, s := range map[string]string{
		"newline":      "a\n{\"decision\":\"accept\"}\r\n",
		"NUL":          "a\x00b",
		"invalid":      "a\xff\xfe\xc3(",
		"half a rune":  strings.Repeat("x", maxText-1) + "é",
		"10 kB":        strings.Repeat("x", 10_000),
		"10 kB of NUL": strings.Repeat("\x00", 10_000),
		"10 kB of ff":  strings.Repeat("\xff", 10_000),
		"10 kB of é":   strings.Repeat("é", 5_000),
		"terminal":     "\x1b[2J\u009b31m\x7f",
		"separators":   "a\u2028b\u2029c\u0085d",
		"reversed":     "\u202egnp.exe",
		"quotes":       `","decision":"accept","x":"\`,
		"html":         "</script><script>",
		"10 kB of <":   strings.Repeat("<", 10_000),
	} {
		lines := record(t, Event{
			Decision: Reject, Issuer: s, Subject: s, TokenID: s,
			Platform: s, Build: s, Scope: s, Detail: s, Cause: s, Part: s, Version: s, Trace: s,
		}, Event{Decision: Alarm})
		if len(lines) != 2 {
			t.Fatalf("%s: %d lines", name, len(lines))
		}
		m := fields(t, lines[0])
		if m["decision"] != "reject" || m["class_uid"] != 3002.0 || m["reason"] != nil || m["x"] != nil {
			t.Errorf("%s: %v", name, m)
		}
		walk(m, func(got string) {
			if len(got) > maxText || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", name, got)
			}
		})
		if strings.ContainsFunc(strings.TrimSuffix(lines[0], "\n"), func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 }) {
			t.Errorf("%s: the line can be split: %q", name, lines[0])
		}
		if len(lines[0]) > longest {
			t.Errorf("%s: a line of %d bytes", name, len(lines[0]))
		}
	}
}

// longest bounds a line in bytes: eight texts, of which JSON makes six bytes of one at most, and what is ours. MaxRecent
// counts on it.
const longest = 8*6*maxText + 1000

// walk calls f with every name and string of a decoded line.
func walk(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case []any:
		for _, e := range v {
			walk(e, f)
		}
	case map[string]any:
		for k, e := range v {
			f(k)
			walk(e, f)
		}
	}
}

// "32 lower-case hex digits, not all zero; anything else is left out"
func TestTrace(t *testing.T) {
	const good = "4bf92f3577b34da6a3ce929d0e0e4736"
	for s, want := range map[string]string{
		good: good, "": "", good[1:]: "", good + "0": "", strings.ToUpper(good): "", good[:31] + "g": "", good[:31] + "\n": "",
		strings.Repeat("0", 32): "", strings.Repeat("0", 31) + "1": strings.Repeat("0", 31) + "1",
	} {
		if got := trace(s); got != want {
			t.Errorf("%q gives %q", s, got)
		}
	}
}

// "at most 128 bytes"
func TestTextBounds(t *testing.T) {
	for n, want := range map[int]int{0: 0, maxText - 1: maxText - 1, maxText: maxText, maxText + 1: maxText} {
		if got := text(strings.Repeat("x", n)); len(got) != want {
			t.Errorf("%d bytes become %d, want %d", n, len(got), want)
		}
	}
	if got := text(strings.Repeat("x", maxText-1) + "é"); got != strings.Repeat("x", maxText-1) {
		t.Errorf("a character is cut in two: %q", got)
	}
	if got := text("a\nb\xffc"); got != "a\uFFFDb\uFFFDc" {
		t.Errorf("%q", got)
	}
}

// "network of the peer, at most /24 or, for IPv6, /56"
func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.77/23":           "192.0.2.0/23",
		"192.0.2.77/24":           "192.0.2.0/24",
		"192.0.2.77/25":           "192.0.2.0/24",
		"192.0.2.77/32":           "192.0.2.0/24",
		"::ffff:192.0.2.77/128":   "192.0.2.0/24",
		"::ffff:192.0.2.77/90":    "0.0.0.0/0",
		"2001:db8:1:2ff::1/55":    "2001:db8:1:200::/55",
		"2001:db8:1:2ff::1/56":    "2001:db8:1:200::/56",
		"2001:db8:1:2ff::1/57":    "2001:db8:1:200::/56",
		"2001:db8:1:2ff::1/128":   "2001:db8:1:200::/56",
		"0.0.0.0/0":               "0.0.0.0/0",
		"2001:db8:ffff:ffff::/64": "2001:db8:ffff:ff00::/56",
	} {
		p := netip.MustParsePrefix(in)
		if got := network(p); got != want {
			t.Errorf("%v becomes %s, want %s", p, got, want)
		}
	}
	if got := network(netip.Prefix{}); got != "" {
		t.Errorf("the zero Prefix becomes %q", got)
	}
}

// "No line holds a token, a key, an address or a player's id in clear."
func TestNothingInClear(t *testing.T) {
	const subject, id = "player-zoe", "3f1e9a-token-id" // letters: digits may stand in a time or an address of memory
	var all strings.Builder
	for d := range numDecisions {
		for r := range numDrops {
			for _, l := range record(t, Event{
				Decision: d, Reason: r, Issuer: "issuer", Subject: subject, TokenID: id,
				Session: 1, Prefix: netip.MustParsePrefix("192.0.2.77/32"),
				Previous: netip.MustParsePrefix("2001:db8::77/128"), Part: "network", Version: "v", Platform: "p", Build: "b", Scope: "s", Detail: "d",
			}) {
				all.WriteString(l)
			}
		}
	}
	j, _ := NewJSON(&bytes.Buffer{}, JSONConfig{Key: testKey})
	defer j.Close()
	fmt.Fprintf(&all, "%v %+v %#v", j.pseudonym, j, j)
	slog.New(slog.NewJSONHandler(&all, nil)).Info("sink", "sink", j)
	for _, secret := range []string{subject, "zoe", id, "token-id", "192.0.2.77", "::77", string(testKey), fmt.Sprint(testKey)[1:20]} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%q is in clear", secret)
		}
	}
}

// FuzzLine: whatever the texts, a line is one line, one object, and says what was decided.
func FuzzLine(f *testing.F) {
	f.Add("a\n{\"decision\":\"accept\"}", "\xff\u2028", `","decision":"accept","x":"\`)
	f.Add("\x1b[2J", strings.Repeat("\x00", 300), "</script>")
	p := newPseudonymizer(testKey)
	f.Fuzz(func(t *testing.T, a, b, c string) {
		l := string(newLine(Event{
			Decision: Reject, Issuer: a, Subject: b, TokenID: c, Session: 1,
			Part: a, Version: b, Trace: c, Platform: a, Build: b, Scope: c, Detail: a, Cause: b,
		}, p, tally{}).encode())
		if strings.Contains(l, "\n") || !strings.HasSuffix(l, "}") || len(l) > longest || !utf8.ValidString(l) {
			t.Fatalf("%q", l)
		}
		m := fields(t, l)
		if m["decision"] != "reject" || m["class_uid"] != 3002.0 || len(m) > len(permitted) {
			t.Errorf("%q", l)
		}
		for _, path := range paths("", m) {
			if !slices.Contains(permitted, path) {
				t.Errorf("%q is forged", path)
			}
		}
		walk(m, func(s string) {
			if len(s) > maxText || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", s)
			}
		})
	})
}
