package token

import (
	"slices"
	"strconv"
	"time"
)

// A Profile holds the rules for the tokens of one issuer (RFC 8725 3.12: they are mutually
// exclusive, because each issuer has its own algorithm and keys). The operator writes it;
// NewVerifier copies and checks it.
type Profile struct {
	Issuer    string        // iss, exactly; for FormNakama a name of your choice, as Nakama sends none
	Name      string        // value of Claims.Issuer; empty means Issuer. For an issuer with two names
	Audience  []string      // one of them must be in aud (FormCognito: be client_id); none for FormNakama
	Groups    []string      // when not empty, the player must be in one of them; only for Cognito
	Algorithm Algorithm     // the only one accepted
	Keys      KeySet        // the issuer's own; never share a set between issuers
	Type      string        // required typ, "at+jwt" where possible; empty: typ is missing or "JWT"
	MaxLife   time.Duration // longest accepted life; zero means DefaultLife, at most LongestLife
	Leeway    time.Duration // for clocks that differ; zero means 5 s, negative none, at most MaxLeeway
	Form      Form          // which claims carry identity and audience

	// Keep names further claims, which Claims.Custom and session.Identity then have: at most 16
	// names of 1 to 128 bytes, compared exactly. No token is refused for what they hold.
	Keep []string
}

// A Form says under which names a token carries identity and audience.
type Form uint8

const (
	FormStandard  Form = iota // sub, jti, aud (RFC 7519)
	FormCognito               // Amazon Cognito access token: sub, jti, origin_jti; client_id for aud, token_use "access"
	FormCognitoID             // Amazon Cognito ID token: sub, jti, origin_jti, aud, token_use "id"
	// FormNakama is a Nakama session token: uid, a UUID, and tid; no iss and no aud. Give its
	// profile the session key alone: with the key of refresh tokens, those would pass too.
	FormNakama
)

var formNames = [...]string{FormStandard: "standard", FormCognito: "Cognito access", FormCognitoID: "Cognito ID", FormNakama: "Nakama"}

// String returns the form in words, or "form N".
func (f Form) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return "form " + strconv.Itoa(int(f))
}

// identity reads the claims that differ between forms.
func (f Form) identity(r *reader, c *Claims) {
	switch f {
	case FormStandard:
		c.Subject, c.ID = r.text("sub", maxText), r.text("jti", maxText)
		c.Audience = r.texts("aud", maxName)
	case FormCognito:
		r.cognito(c, "access", "username")
		// An access token may have an aud, but it names an API, not the application that the user
		// signed in to.
		c.Audience = []string{r.text("client_id", maxName)}
	case FormCognitoID:
		r.cognito(c, "id", "cognito:username")
		c.Audience = r.texts("aud", maxName)
	case FormNakama:
		// tid stays the same when the session is refreshed, so it names the sign-in and not the
		// token.
		c.Subject, c.SignIn = r.uuid("uid"), r.text("tid", maxText)
		c.Username = r.text("usn", maxNick)
	}
}

// cognito reads the claims that access and ID tokens have in common. Only token_use distinguishes
// them.
func (r *reader) cognito(c *Claims, use, username string) {
	c.Subject, c.ID = r.text("sub", maxText), r.text("jti", maxText)
	c.SignIn = r.text("origin_jti", maxText)
	c.Username, c.Groups = r.text(username, maxNick), r.groups(groupsClaim)
	if got := r.text("token_use", maxText); got != use {
		r.refuse("token_use", "not "+use+": the client must present the other token of its sign-in")
	}
}

// subject returns the name of the claim that carries the player.
func (f Form) subject() string {
	if f == FormNakama {
		return "uid"
	}
	return "sub"
}

// audience returns the name of the claim that carries the audience.
func (f Form) audience() string {
	if f == FormCognito {
		return "client_id"
	}
	return "aud"
}

// ofCognito reports whether tokens of this form have groups.
func (f Form) ofCognito() bool { return f == FormCognito || f == FormCognitoID }

// serves reports whether this server accepts tokens for audience.
func (p *Profile) serves(audience string) bool { return slices.Contains(p.Audience, audience) }

// admits reports whether players of group may join.
func (p *Profile) admits(group string) bool { return slices.Contains(p.Groups, group) }

// times checks everything about c that depends on the time. It runs for cached tokens as well.
func (p *Profile) times(c *Claims, now time.Time) error {
	late, early := now.Add(-p.Leeway), now.Add(p.Leeway)
	if !c.Expires.After(late) { // "on or after which the JWT MUST NOT be accepted", RFC 7519 4.1.4
		return failedBy(CheckExpired, "exp", now.Sub(c.Expires))
	}
	if c.NotBefore.After(early) { // "before which the JWT MUST NOT be accepted", 4.1.5
		return failedBy(CheckNotYetValid, "nbf", c.NotBefore.Sub(now))
	}
	if c.IssuedAt.After(early) {
		return failedBy(CheckNotYetValid, "iat", c.IssuedAt.Sub(now))
	}
	start := c.IssuedAt
	if start.IsZero() || p.Form == FormNakama { // Nakama's iat is that of the sign-in
		start = early
	}
	if life := c.Expires.Sub(start); life > p.MaxLife {
		return failedBy(CheckLife, "exp", life-p.MaxLife)
	}
	return nil
}

// complete returns a copy of p with its zero values filled in, or the reason why p is invalid.
func (p Profile) complete() (*Profile, error) {
	p.Audience, p.Groups, p.Keep = slices.Clone(p.Audience), slices.Clone(p.Groups), slices.Clone(p.Keep)
	if p.Name == "" {
		p.Name = p.Issuer
	}
	if p.MaxLife == 0 {
		p.MaxLife = DefaultLife
	}
	switch {
	case p.Leeway == 0:
		p.Leeway = defaultLeeway
	case p.Leeway < 0:
		p.Leeway = 0
	}
	switch {
	case badName(p.Issuer) || badName(p.Name):
		return nil, withDetail(ErrConfig, "Issuer and Name must have 1 to 256 bytes")
	case !p.Algorithm.known():
		return nil, withDetail(ErrConfig, "Algorithm must be RS256, ES256, EdDSA or HS256")
	case p.Keys == nil || p.Keys == (*StaticKeys)(nil) || p.Keys == (*RemoteKeys)(nil):
		return nil, withDetail(ErrConfig, "Keys is missing")
	case p.Form > FormNakama:
		return nil, withDetail(ErrConfig, "Form is unknown")
	case (len(p.Audience) == 0) != (p.Form == FormNakama) || slices.ContainsFunc(p.Audience, badName):
		return nil, withDetail(ErrConfig, "Audience must have names of 1 to 256 bytes, for Nakama none")
	case len(p.Groups) > 0 && !p.Form.ofCognito() || slices.Contains(p.Groups, ""):
		return nil, withDetail(ErrConfig, "Groups are for Amazon Cognito alone, and must have names")
	case badKeep(p.Keep):
		return nil, withDetail(ErrConfig, "Keep must have at most 16 different names of 1 to 128 bytes")
	case p.MaxLife < 0 || p.MaxLife > LongestLife:
		return nil, withDetail(ErrConfig, "MaxLife must be at most 24 hours, and not negative")
	case p.Leeway > MaxLeeway:
		return nil, withDetail(ErrConfig, "Leeway must be at most 30 seconds")
	}
	return &p, nil
}

func badName(s string) bool { return s == "" || len(s) > maxName }
