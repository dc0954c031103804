package token

import (
	"context"
	"slices"
	"time"
)

// TypeEvent is the typ of a security event token (RFC 8417 2.3).
const TypeEvent = "secevent+jwt"

// Event is a security event token (SET, RFC 8417) of which everything but the meaning has been
// verified: what an identity provider says about players, such as that a session was revoked.
type Event struct {
	Issuer   string // the profile's Name
	ID       string // jti: names the SET, 1 to 128 bytes
	KeyID    string // the issuer's name for the key that signed, or empty
	IssuedAt time.Time

	// Claims are the claims as JSON: one object, in UTF-8, at most 8 levels deep and without a name
	// twice in one object. Names are to be compared exactly, which encoding/json does for maps and not
	// for structs.
	Claims []byte
}

// An EventVerifier verifies security event tokens under the rules for identity tokens, with these
// differences: typ is TypeEvent, so that neither is ever taken for the other; jti and iat are
// required; sub and exp must not be there (Shared Signals Framework 1.0, 4.1.7); nothing is cached.
// The caller decides how old a SET may be. It is safe for concurrent use.
type EventVerifier struct{ profiles map[string]*Profile }

// NewEventVerifier returns a verifier for the events of these issuers. Of a Profile only Issuer, Name,
// Audience, Algorithm, Keys and Leeway count. The others must be zero, but for Type, which may be
// TypeEvent. Errors match ErrConfig.
func NewEventVerifier(profiles ...Profile) (*EventVerifier, error) {
	v := &EventVerifier{map[string]*Profile{}}
	if len(profiles) == 0 {
		return nil, withDetail(ErrConfig, "a Profile is missing")
	}
	for _, p := range profiles {
		if p.Type != "" && p.Type != TypeEvent || p.Form != FormStandard || p.MaxLife != 0 || p.Groups != nil || p.Keep != nil {
			return nil, withDetail(ErrConfig, "for events Type is "+TypeEvent+", and Form, MaxLife, Groups and Keep are zero")
		}
		p.Type = TypeEvent
		c, err := p.complete()
		if err != nil {
			return nil, err
		}
		if v.profiles[c.Issuer] != nil {
			return nil, withDetail(ErrConfig, "Issuer is that of another Profile")
		}
		v.profiles[c.Issuer] = c
	}
	return v, nil
}

// Verify returns the event in raw if it is acceptable at now, otherwise an *Error. It keeps no
// reference to raw. A SET has at most 32 KiB. Verify may block as long as the key set does; ctx ends
// that wait.
func (v *EventVerifier) Verify(ctx context.Context, now time.Time, raw []byte) (*Event, error) {
	if len(raw) > maxVerified {
		return nil, failed(CheckSize, "")
	}
	c, err := splitCompact(raw)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(c.header)
	if err != nil {
		return nil, err
	}
	o, err := parseObject(c.claims)
	if err != nil {
		return nil, err
	}
	if err := o.exact("iss", "aud", "jti", "iat", "sub", "exp", "events", "sub_id", "toe", "txn"); err != nil {
		return nil, err
	}
	p, err := (&Verifier{profiles: v.profiles}).profile(o)
	if err != nil {
		return nil, err
	}
	if err := h.check(p); err != nil {
		return nil, err
	}
	e, err := p.event(o, now)
	if err != nil {
		return nil, err
	}
	key, err := p.key(ctx, h.kid)
	if err != nil {
		return nil, err
	}
	if err := key.verify(c.signed, c.signature); err != nil {
		return nil, err
	}
	e.KeyID, e.Claims = key.ID(), c.claims
	return e, nil
}

// event reads the claims that every SET has.
func (p *Profile) event(o object, now time.Time) (*Event, error) {
	r := reader{o: o}
	e := &Event{Issuer: p.Name, ID: r.text("jti", maxText), IssuedAt: r.date("iat")}
	audience := r.texts("aud", maxName)
	for _, name := range []string{"sub", "exp"} {
		if _, present := o[name]; present {
			r.refuse(name, "no event has it (Shared Signals Framework 1.0, 4.1.7)")
		}
	}
	if e.ID == "" {
		r.refuse("jti", "missing")
	}
	if e.IssuedAt.IsZero() {
		r.refuse("iat", "missing")
	}
	if r.fault != nil {
		return nil, r.fault
	}
	if !slices.ContainsFunc(audience, p.serves) {
		return nil, failed(CheckAudience, "aud")
	}
	if early := now.Add(p.Leeway); e.IssuedAt.After(early) {
		return nil, failedBy(CheckNotYetValid, "iat", e.IssuedAt.Sub(now))
	}
	return e, nil
}
