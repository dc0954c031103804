package token

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Claims are the claims of a verified token. They are shared by all who present the same token, so
// they must not be changed. Times have no monotonic part; an optional one that is missing is zero.
type Claims struct {
	Issuer   string   // the profile's Name
	Subject  string   // the player: 1 to 128 bytes of UTF-8 without control characters
	ID       string   // jti, else "sha256:" and the hash of the signed part: names the token for revocation, never empty
	KeyID    string   // the issuer's name for the key that signed the token, or empty
	SignIn   string   // id that all tokens of one sign-in share (origin_jti, tid), or empty
	Username string   // by which the player signs in (username, cognito:username, usn), or empty; it may change hands
	Groups   []string // of the player (cognito:groups), at most 100, or none
	Scope    string   // see HasScope
	Platform string   // of the client it was made for, or empty
	Build    string   // of the client it was made for, or empty
	Audience []string // at least one, except from Nakama

	// Custom has the claims that the profile's Keep names and the token has; nil if there are none.
	// A value is a string, a float64, a bool or a []string, and nil if what the token has is none
	// of these or does not fit: then the claim is not absent but unknown. What fits is a text of at
	// most 256 bytes without control characters, a list of at most 32 of them, and a number between
	// -2^53 and 2^53; and all texts together, in the order of Keep, have at most 1,024 bytes.
	Custom map[string]any

	// Kept is the profile's Keep: a claim that is named there and missing in Custom is absent from the
	// token.
	Kept []string

	Expires, NotBefore, IssuedAt time.Time

	Thumbprint    [32]byte // SHA-256 of the client certificate that must come with the token (cnf, RFC 8705 3.1)
	HasThumbprint bool
}

// HasScope reports whether name is one of the space-separated words of Scope.
func (c *Claims) HasScope(name string) bool {
	for word := range strings.SplitSeq(c.Scope, " ") {
		if word == name && name != "" {
			return true
		}
	}
	return false
}

// compact moves the strings of the token into one piece of memory. Sessions keep some of them for
// long, and many small pieces among the garbage of verification would keep many pages in use.
func (c *Claims) compact() {
	rest := c.Subject + c.ID + c.SignIn + c.Username + c.Scope + c.Platform + c.Build
	for _, s := range []*string{&c.Subject, &c.ID, &c.SignIn, &c.Username, &c.Scope, &c.Platform, &c.Build} {
		*s, rest = rest[:len(*s)], rest[len(*s):]
	}
}

// groupsClaim has a player's groups in the forms of Amazon Cognito.
const groupsClaim = "cognito:groups"

// claimNames are the claims that are read in some form of token.
var claimNames = []string{
	"iss", "aud", "sub", "jti", "exp", "nbf", "iat", "scope", "platform", "build", "cnf", // FormStandard
	"client_id", "token_use", "origin_jti", "username", "cognito:username", groupsClaim, // FormCognito, FormCognitoID
	"uid", "tid", "usn", // FormNakama
}

// parseClaims parses the decoded second segment, the only time the claims are parsed.
func parseClaims(b []byte) (object, error) {
	o, err := parseObject(b)
	if err != nil {
		return nil, err
	}
	return o, o.exact(claimNames...)
}

// claims reads the claims of a token of this profile from o, and checks everything that does not
// depend on the time. signed is the part of the token that the signature covers.
func (p *Profile) claims(o object, signed []byte) (*Claims, error) {
	r := reader{o: o}
	c := &Claims{
		Issuer:  p.Name,
		Scope:   r.scope("scope"),
		Expires: r.date("exp"), NotBefore: r.date("nbf"), IssuedAt: r.date("iat"),
	}
	if c.Platform, c.Build = r.optional("platform"), r.optional("build"); p.Form == FormStandard {
		c.Platform, c.Build = r.text("platform", maxText), r.text("build", maxText)
	}
	c.Thumbprint, c.HasThumbprint = r.confirmation("cnf")
	p.Form.identity(&r, c)
	c.Custom, c.Kept = p.custom(o), p.Keep
	if c.ID == "" {
		sum := sha256.Sum256(signed)
		c.ID = "sha256:" + hex.EncodeToString(sum[:])
	}
	if c.Subject == "" {
		r.refuse(p.Form.subject(), "missing")
	}
	if c.Expires.IsZero() {
		r.refuse("exp", "missing")
	}
	if r.fault != nil {
		return nil, r.fault
	}
	if p.Form != FormNakama && !slices.ContainsFunc(c.Audience, p.serves) {
		return nil, failed(CheckAudience, p.Form.audience())
	}
	if len(p.Groups) > 0 && !slices.ContainsFunc(c.Groups, p.admits) {
		return nil, failed(CheckGroup, groupsClaim)
	}
	return c, nil
}
