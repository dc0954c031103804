package token

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// IssuerConfig describes an Issuer.
type IssuerConfig struct {
	Issuer   string        // iss, 1 to 256 bytes
	Audience string        // aud, 1 to 256 bytes: name the server or the match, so that no other takes the token
	Key      SigningKey    // zero means a fresh one, lost when the process ends unless saved
	KeyID    string        // kid; empty means the key's RFC 7638 thumbprint
	Life     time.Duration // of each token, and the longest a Grant may ask for. Zero means DefaultLife; negative is an error
}

// An Issuer mints ES256 identity tokens for a game that has no identity provider: sign the player
// in however the game does, then Mint. It is safe for concurrent use.
type Issuer struct {
	config IssuerConfig
	public Key
	keys   *StaticKeys // public alone
	rules  *Profile    // Mint checks its own tokens against them
}

// A Grant describes a token to mint. Only Subject is required.
type Grant struct {
	Subject, Scope, Platform, Build string

	Life       time.Duration // zero means the issuer's; at least a second, whole seconds
	Thumbprint *[32]byte     // SHA-256 of the client certificate that the token is bound to

	// Custom are claims of the game's own, as Claims.Custom has them: Profile.Keep must name them.
	// Values are strings, numbers, bools and []string.
	Custom map[string]any
}

// NewIssuer returns an Issuer. Errors match ErrConfig or ErrKey.
func NewIssuer(config IssuerConfig) (i *Issuer, err error) {
	if config.Key.key == nil {
		if config.Key, err = GenerateSigningKey(); err != nil {
			return nil, err
		}
	}
	if config.Life == 0 {
		config.Life = DefaultLife
	}
	i = &Issuer{config: config}
	if i.public, err = NewPublicKey(config.KeyID, ES256, &config.Key.key().PublicKey); err != nil {
		return nil, err
	}
	if i.keys, err = NewStaticKeys(i.public); err != nil {
		return nil, err
	}
	if i.rules, err = i.Profile().complete(); err != nil {
		return nil, err
	}
	return i, nil
}

// Key returns the signing key, to be saved as PEM.
func (i *Issuer) Key() SigningKey { return i.config.Key }

// JWKS returns the public key as a JWK set, to be published.
func (i *Issuer) JWKS() []byte { return marshalJWKSet(i.public) }

// Profile returns the rules under which a Verifier accepts the issuer's tokens.
func (i *Issuer) Profile() Profile {
	return Profile{
		Issuer: i.config.Issuer, Audience: []string{i.config.Audience}, Algorithm: ES256, Type: "at+jwt",
		Keys: i.keys, MaxLife: i.config.Life,
	}
}

// Mint returns a token for g that is valid from now, in whole seconds. It mints no token that a
// Verifier would refuse: the error is ErrClaims, or ErrMalformed if the text is not UTF-8 or the
// token too long.
func (i *Issuer) Mint(now time.Time, g Grant) (string, error) {
	if g.Life == 0 {
		g.Life = i.config.Life
	}
	if g.Life < time.Second {
		return "", badClaim("exp", "a token lives for a second at least")
	}
	if !utf8.ValidString(g.Subject + g.Scope + g.Platform + g.Build) { // would be encoded as something else
		return "", malformed("", "the grant is no UTF-8")
	}
	header := map[string]string{"alg": string(ES256), "typ": i.rules.Type, "kid": i.public.id}
	claims, err := i.claims(now, g)
	if err != nil {
		return "", err
	}
	signed := encode(header) + "." + strict.EncodeToString(claims)
	signature, err := sign(signed, i.config.Key.key())
	if err != nil {
		return "", failed(CheckSignature, "")
	}
	raw := signed + "." + strict.EncodeToString(signature)
	if err := i.acceptable(now, []byte(raw)); err != nil {
		return "", err
	}
	return raw, nil
}

// minted are the claims of a token minted here.
type minted struct {
	Issuer   string            `json:"iss"`
	Audience string            `json:"aud"`
	Subject  string            `json:"sub"`
	ID       string            `json:"jti"`
	IssuedAt int64             `json:"iat"`
	NotBef   int64             `json:"nbf"`
	Expires  int64             `json:"exp"`
	Scope    string            `json:"scope,omitempty"`
	Platform string            `json:"platform,omitempty"`
	Build    string            `json:"build,omitempty"`
	Confirm  map[string]string `json:"cnf,omitempty"`
}

// claims returns the decoded second segment of a token for g.
func (i *Issuer) claims(now time.Time, g Grant) ([]byte, error) {
	m := minted{
		Issuer: i.config.Issuer, Audience: i.config.Audience, Subject: g.Subject,
		ID:       rand.Text(), // 128 bits and a little more
		IssuedAt: now.Unix(), NotBef: now.Unix(), Expires: now.Unix() + int64(g.Life/time.Second),
		Scope: g.Scope, Platform: g.Platform, Build: g.Build,
	}
	if g.Thumbprint != nil {
		m.Confirm = map[string]string{"x5t#S256": strict.EncodeToString(g.Thumbprint[:])}
	}
	own, _ := json.Marshal(m)
	if len(g.Custom) == 0 {
		return own, nil
	}
	further, err := json.Marshal(g.Custom)
	if err != nil || !fitsCustom(further) {
		return nil, malformed("", "a further claim of the grant would not be kept")
	}
	return slices.Concat(own[:len(own)-1], []byte{','}, further[1:]), nil
}

// fitsCustom reports whether all members of a JSON object can be values of Claims.Custom.
func fitsCustom(b []byte) bool {
	o, err := parseObject(b)
	p := Profile{Keep: slices.Collect(maps.Keys(o))}
	if err != nil || badKeep(p.Keep) {
		return false
	}
	for _, v := range p.custom(o) {
		if v == nil {
			return false
		}
	}
	return true
}

// encode makes a segment. Maps and structs of strings and numbers always encode.
func encode(v any) string {
	b, _ := json.Marshal(v)
	return strict.EncodeToString(b)
}

// acceptable reads a new token as a Verifier would, all but the signature.
func (i *Issuer) acceptable(now time.Time, raw []byte) error {
	if len(raw) > MaxLen {
		return &Error{Check: CheckSize, text: "longer than HELLO carries"}
	}
	v := &Verifier{profiles: map[string]*Profile{i.rules.Issuer: i.rules}}
	t, err := v.parse(raw)
	if err != nil {
		return err
	}
	return i.rules.times(t.claims, now)
}
