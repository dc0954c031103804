package token

import "strings"

// A header is what is used of the JOSE header (RFC 7515 4): the algorithm, the key id and the type.
type header struct {
	alg Algorithm
	kid string // empty when missing
	typ string // empty when missing
}

// forbidden are the header fields that refuse the token, whatever their value.
var forbidden = []string{
	"crit",                     // demands understanding of an extension, and we have none (RFC 7515 4.1.11)
	"jku", "jwk", "x5u", "x5c", // the token's own idea of its key (RFC 8725 3.10)
	"zip", "enc", // compression, encryption (RFC 8725 3.6)
	"cty", // a token within a token (RFC 8725 3.3)
	"b64", // changes the signed bytes (RFC 7797)
}

// parseHeader reads the decoded first segment.
func parseHeader(b []byte) (h header, err error) {
	o, err := parseObject(b)
	if err != nil {
		return h, err
	}
	if err := o.exact(append([]string{"alg", "kid", "typ"}, forbidden...)...); err != nil {
		return h, err
	}
	for _, name := range forbidden {
		if _, present := o[name]; present {
			return h, malformed(name, name+": no token may have this field in its header")
		}
	}
	r := reader{o: o}
	h = header{Algorithm(r.text("alg", maxText)), r.text("kid", maxKeyID), r.text("typ", maxText)}
	if r.fault != nil {
		return h, malformed(r.fault.Claim, "header field "+r.fault.text)
	}
	return h, nil
}

// check compares the header with the profile, which alone decides.
func (h header) check(p *Profile) error {
	if h.alg != p.Algorithm {
		return failed(CheckAlgorithm, "alg")
	}
	if !typeMatches(h.typ, p.Type) {
		return failed(CheckType, "typ")
	}
	return nil
}

// typeMatches compares media types (RFC 7515 4.1.9): letter case does not matter, and
// "application/" may be left out. If no type is wanted, the token may only say "JWT", which RFC
// 7519 5.1 allows every issuer.
func typeMatches(got, want string) bool {
	if want == "" {
		return got == "" || strings.EqualFold(got, "JWT")
	}
	const prefix = "application/"
	if len(got) > len(prefix) && strings.EqualFold(got[:len(prefix)], prefix) {
		got = got[len(prefix):]
	}
	return strings.EqualFold(got, want)
}
