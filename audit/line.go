package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// line is what is written of an event. All of its strings are safe to read and short.
type line struct {
	Time     string `json:"time"`
	Decision string `json:"decision,omitempty"` // empty in a line that holds a tally only
	Reason   string `json:"reason,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Token    string `json:"token,omitempty"`
	Session  uint32 `json:"session,omitempty"`
	Prefix   string `json:"prefix,omitempty"`
	Platform string `json:"platform,omitempty"`
	Build    string `json:"build,omitempty"`
	Scope    string `json:"scope,omitempty"`
	Detail   string `json:"detail,omitempty"`
	tally
}

// tally is what has not been written since the line before.
type tally struct {
	Suppressed uint64 `json:"suppressed,omitempty"`
	Lost       uint64 `json:"lost,omitempty"`
}

func (t *tally) add(u tally) {
	t.Suppressed += u.Suppressed
	t.Lost += u.Lost
}

func newLine(e Event, p pseudonymizer) line {
	l := line{
		Time:     stamp(e.Time),
		Decision: e.Decision.String(),
		Issuer:   text(e.Issuer),
		Subject:  p.pseudonym("subject", e.Subject),
		Token:    p.pseudonym("token", e.TokenID),
		Session:  e.Session,
		Prefix:   network(e.Prefix),
		Platform: text(e.Platform),
		Build:    text(e.Build),
		Scope:    text(e.Scope),
		Detail:   text(e.Detail),
	}
	if e.Reason != DropNone {
		l.Reason = e.Reason.String()
	}
	return l
}

// encode returns the line with its end.
func (l line) encode() []byte {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return append(b, '\n')
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// text returns the beginning of s, at most MaxText bytes, with U+FFFD for what does not print.
func text(s string) string {
	var b strings.Builder
	for _, r := range s {
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		if b.Len()+utf8.RuneLen(r) > MaxText {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// network returns p, cut to what a line may hold; empty for an invalid one.
func network(p netip.Prefix) string {
	bits, longest, addr := p.Bits(), maxBits6, p.Addr()
	if addr.Is4In6() {
		bits, addr = max(bits-96, 0), addr.Unmap()
	}
	if addr.Is4() {
		longest = maxBits4
	}
	p, err := addr.Prefix(min(bits, longest))
	if err != nil {
		return ""
	}
	return p.String()
}

// pseudonymizer holds its key out of reach of fmt, slog and encoders.
type pseudonymizer func(label, value string) [sha256.Size]byte

func newPseudonymizer(key []byte) pseudonymizer {
	key = append([]byte(nil), key...)
	return func(label, value string) (sum [sha256.Size]byte) {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(label + "\x00" + value))
		m.Sum(sum[:0])
		return sum
	}
}

// pseudonym is empty for an empty value.
func (p pseudonymizer) pseudonym(label, value string) string {
	if value == "" {
		return ""
	}
	sum := p(label, value)
	return hex.EncodeToString(sum[:pseudonymLen])
}
