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

// claimNames are the claims that are read in some form of token.
var claimNames = []string{
	"iss", "aud", "sub", "jti", "exp", "nbf", "iat", "scope", "platform", "build", "cnf", // FormStandard
	"client_id", "token_use", "origin_jti", "username", "cognito:username", "cognito:groups", // FormCognito, FormCognitoID
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
		Issuer:   p.Name,
		Scope:    r.scope("scope"),
		Platform: r.text("platform", maxText), Build: r.text("build", maxText),
		Expires: r.date("exp"), NotBefore: r.date("nbf"), IssuedAt: r.date("iat"),
	}
	c.Thumbprint, c.HasThumbprint = r.confirmation("cnf")
	p.Form.identity(&r, c)
	if c.ID == "" {
		sum := sha256.Sum256(signed)
		c.ID = "sha256:" + hex.EncodeToString(sum[:])
	}
	if r.bad || c.Subject == "" || c.Expires.IsZero() {
		return nil, ErrClaims
	}
	if p.Form != FormNakama && !slices.ContainsFunc(c.Audience, p.serves) {
		return nil, ErrAudience
	}
	if len(p.Groups) > 0 && !slices.ContainsFunc(c.Groups, p.admits) {
		return nil, ErrGroup
	}
	return c, nil
}
