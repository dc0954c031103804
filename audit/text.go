package audit

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// trace returns s if it is a trace-id of W3C Trace Context (3.2.2.3), and nothing otherwise.
func trace(s string) string {
	if len(s) != 32 || strings.Trim(s, "0") == "" || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}

// text returns the beginning of s, at most maxText bytes, with U+FFFD in place of characters that
// do not print.
func text(s string) string {
	var b strings.Builder
	for _, r := range s {
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		if b.Len()+utf8.RuneLen(r) > maxText {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// network returns p, shortened to the longest prefix that a line may contain; empty for an invalid
// one.
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
