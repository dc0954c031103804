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

// The package comment's table, field by field.
func TestLine(t *testing.T) {
	got := record(t, Event{
		Time:     time.Date(2000, 1, 1, 1, 0, 0, 123_456_789, time.FixedZone("", 3600)),
		Decision: Reject, Reason: DropToken,
		Issuer: "https://issuer.example", Subject: "player-7", TokenID: "jti-7", Session: 99,
		Prefix:   netip.MustParsePrefix("192.0.2.0/24"),
		Platform: "linux", Build: "1.2", Scope: "match-3", Detail: "signature",
	}, Event{Time: time.Unix(0, 0), Decision: Close})
	want := []string{
		`{"time":"2000-01-01T00:00:00.123Z","decision":"reject","reason":"token","issuer":"https://issuer.example",` +
			`"subject":"` + pseudonymOf("subject", "player-7") + `","token":"` + pseudonymOf("token", "jti-7") + `",` +
			`"session":99,"prefix":"192.0.2.0/24","platform":"linux","build":"1.2","scope":"match-3","detail":"signature"}` + "\n",
		`{"time":"1970-01-01T00:00:00.000Z","decision":"close"}`,
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

// "Key turns subjects and token ids into pseudonyms, the same ones for as long as the key is."
func TestPseudonyms(t *testing.T) {
	subject := func(key []byte) string {
		var b bytes.Buffer
		j, err := NewJSON(&b, JSONConfig{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		j.Record(Event{Subject: "same", TokenID: "same"})
		j.Close()
		m := fields(t, b.String())
		if m["subject"] == m["token"] {
			t.Error("a subject and a token id have one pseudonym")
		}
		return m["subject"].(string)
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
		"half a rune":  strings.Repeat("x", MaxText-1) + "é",
		"10 kB":        strings.Repeat("x", 10_000),
		"10 kB of NUL": strings.Repeat("\x00", 10_000),
		"10 kB of ff":  strings.Repeat("\xff", 10_000),
		"10 kB of é":   strings.Repeat("é", 5_000),
		"terminal":     "\x1b[2J\u009b31m\x7f",
		"separators":   "a\u2028b\u2029c\u0085d",
		"reversed":     "\u202egnp.exe",
		"quotes":       `","decision":"accept","x":"\`,
		"html":         "</script><script>",
	} {
		lines := record(t, Event{
			Decision: Reject, Issuer: s, Subject: s, TokenID: s,
			Platform: s, Build: s, Scope: s, Detail: s,
		}, Event{Decision: Alarm})
		if len(lines) != 2 {
			t.Fatalf("%s: %d lines", name, len(lines))
		}
		m := fields(t, lines[0])
		if m["decision"] != "reject" || len(m) != 9 {
			t.Errorf("%s: %v", name, m)
		}
		for _, f := range []string{"issuer", "platform", "build", "scope", "detail"} {
			got := m[f].(string)
			if len(got) > MaxText || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %s is %q", name, f, got)
			}
		}
		if len(lines[0]) > 1+12*(20+6*MaxText) {
			t.Errorf("%s: a line of %d bytes", name, len(lines[0]))
		}
	}
}

// "at most 128 bytes"
func TestTextBounds(t *testing.T) {
	for n, want := range map[int]int{0: 0, MaxText - 1: MaxText - 1, MaxText: MaxText, MaxText + 1: MaxText} {
		if got := text(strings.Repeat("x", n)); len(got) != want {
			t.Errorf("%d bytes become %d, want %d", n, len(got), want)
		}
	}
	if got := text(strings.Repeat("x", MaxText-1) + "é"); got != strings.Repeat("x", MaxText-1) {
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
	const subject, id = "player-4711", "3f1e9a-token-id"
	var all strings.Builder
	for d := range Decision(len(decisions)) {
		for r := range NumDrops {
			for _, l := range record(t, Event{
				Decision: d, Reason: r, Issuer: "issuer", Subject: subject, TokenID: id,
				Session: 1, Prefix: netip.MustParsePrefix("192.0.2.77/32"), Platform: "p", Build: "b", Scope: "s", Detail: "d",
			}) {
				all.WriteString(l)
			}
		}
	}
	j, _ := NewJSON(&bytes.Buffer{}, JSONConfig{Key: testKey})
	defer j.Close()
	fmt.Fprintf(&all, "%v %+v %#v", j.pseudonym, j, j)
	slog.New(slog.NewJSONHandler(&all, nil)).Info("sink", "sink", j)
	for _, secret := range []string{subject, "4711", id, "token-id", "192.0.2.77", string(testKey), fmt.Sprint(testKey)[1:20]} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%q is in clear", secret)
		}
	}
}
