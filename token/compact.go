package token

import (
	"bytes"
	"encoding/base64"
)

// strict refuses padding and stray bits. It still skips CR and LF, as all of encoding/base64 does,
// so decodeSegment checks the alphabet first.
var strict = base64.RawURLEncoding.Strict()

// A compact is a token in JWS compact serialization (RFC 7515 7.1), taken apart and decoded.
type compact struct {
	signed    []byte // header "." claims as received: the signature covers them
	header    []byte
	claims    []byte
	signature []byte
}

var errSegments = malformed("", "not three segments of base64url with dots between: is it an identity token at all?")

// trim removes what people and their editors put around a token in a file.
func trim(raw []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff")))
}

// splitCompact splits and decodes raw. It accepts exactly one spelling of each token.
func splitCompact(raw []byte) (c compact, err error) {
	if bytes.Count(raw, []byte{'.'}) != 2 {
		return c, errSegments
	}
	last := bytes.LastIndexByte(raw, '.')
	c.signed = raw[:last]
	header, claims, _ := bytes.Cut(c.signed, []byte{'.'})

	var ok [3]bool
	c.header, ok[0] = decodeSegment(header)
	c.claims, ok[1] = decodeSegment(claims)
	c.signature, ok[2] = decodeSegment(raw[last+1:])
	if ok != [3]bool{true, true, true} {
		return c, errSegments
	}
	return c, nil
}

// decodeSegment decodes one non-empty base64url segment.
func decodeSegment(seg []byte) ([]byte, bool) {
	for _, b := range seg {
		if !inAlphabet(b) {
			return nil, false
		}
	}
	out, err := strict.AppendDecode(nil, seg)
	return out, err == nil && len(out) > 0
}

// inAlphabet reports whether b is one of the 64 characters of RFC 4648 5.
func inAlphabet(b byte) bool {
	return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '-' || b == '_'
}
