package sidecar

import (
	"encoding/binary"
	"encoding/json"
	"math"

	"github.com/sallyport/sallyport/session"
)

// Field is a part of the body of a JOINED: its number 1, its length 2, its value.
type Field uint8

// The fields of version 1.
const (
	FieldIssuer   Field = 1 // of the identity token
	FieldSubject  Field = 2 // the player's name at the issuer
	FieldScope    Field = 3 // the match that the player was admitted to
	FieldPlatform Field = 4 // what the client states of itself
	FieldBuild    Field = 5
	FieldSession  Field = 6 // the session's name, 16 bytes: the same on every server
	FieldExpires  Field = 7 // when the session ends unless it is renewed, Unix seconds, 8 bytes
	FieldMetadata Field = 8 // what the client has sent along: nothing proves it
	FieldIdentity Field = 9 // what else the identity token says, as JSON
)

// Fields calls f for each field in the body of a JOINED, also for those that it does not know. It
// reports false if the body is malformed.
func Fields(body []byte, f func(Field, []byte)) bool {
	for len(body) > 0 {
		if len(body) < 3 {
			return false
		}
		n := 3 + int(binary.BigEndian.Uint16(body[1:]))
		if len(body) < n {
			return false
		}
		f(Field(body[0]), body[3:n])
		body = body[n:]
	}
	return true
}

func appendField(dst []byte, f Field, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	dst = append(dst, byte(f))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// appendJoined appends the body of a JOINED: who a player is.
func appendJoined(dst []byte, s session.Session, metadata []byte, claims []string) []byte {
	text := func(f Field, s string) { dst = appendField(dst, f, []byte(s[:min(len(s), maxText)])) }
	text(FieldIssuer, s.Issuer())
	text(FieldSubject, s.Subject())
	text(FieldScope, s.Scope())
	text(FieldPlatform, s.Fingerprint().Platform)
	text(FieldBuild, s.Fingerprint().Build)
	name := s.Name()
	dst = appendField(dst, FieldSession, name[:])
	dst = appendField(dst, FieldExpires, binary.BigEndian.AppendUint64(nil, uint64(s.Expires().Unix())))
	dst = appendField(dst, FieldMetadata, metadata)
	if b := identityJSON(s.Identity(), claims); len(b) <= maxIdentity {
		dst = appendField(dst, FieldIdentity, b)
	}
	return dst
}

// identityJSON is what else the identity token says about the player besides the name. A claim that the
// token does not have is null; an unknown one is left out.
func identityJSON(id session.Identity, claims []string) []byte {
	out := struct {
		UserName any            `json:"user_name,omitempty"`
		Groups   []string       `json:"groups,omitempty"`
		Claims   map[string]any `json:"claims,omitempty"`
	}{Groups: id.Groups(nil)}
	if c := id.UserName(); c.State() == session.ClaimPresent {
		out.UserName = value(c)
	}
	all := make(map[string]any)
	for _, name := range claims {
		switch c := id.Claim(name); c.State() {
		case session.ClaimPresent:
			all[name] = value(c)
		case session.ClaimAbsent:
			all[name] = nil
		}
	}
	out.Claims = all
	b, err := json.Marshal(out)
	if err != nil || len(b) == len("{}") {
		return nil
	}
	return b
}

// value returns the value of a claim that is present.
func value(c session.Claim) any {
	const none = "\x00"
	if s := c.Text(none, none); s != none {
		return s
	}
	if n := c.Number(math.NaN(), math.NaN()); !math.IsNaN(n) {
		return n
	}
	if b := c.Bool(true, true); b == c.Bool(false, false) {
		return b
	}
	return c.Texts(nil, nil)
}
