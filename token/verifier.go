package token

import (
	"context"
	"errors"
	"time"
)

// A Verifier verifies identity tokens. It is safe for concurrent use and starts no goroutines.
type Verifier struct {
	profiles map[string]*Profile // by iss, constant after NewVerifier
	unnamed  *Profile            // for tokens without iss, or nil
	cache    *cache
}

// NewVerifier returns a Verifier for the tokens of these issuers; each issuer has one profile.
// Errors match ErrConfig.
func NewVerifier(profiles ...Profile) (*Verifier, error) {
	v := &Verifier{profiles: map[string]*Profile{}, cache: newCache()}
	if len(profiles) == 0 {
		return nil, withDetail(ErrConfig, "a Profile is missing")
	}
	names := map[string]bool{}
	for _, p := range profiles {
		p, err := p.complete()
		if err != nil {
			return nil, err
		}
		if names[p.Issuer] || p.Form == FormNakama && v.unnamed != nil {
			return nil, withDetail(ErrConfig, "Issuer is that of another Profile")
		}
		names[p.Issuer] = true
		if p.Form == FormNakama {
			v.unnamed = p
		} else {
			v.profiles[p.Issuer] = p
		}
	}
	return v, nil
}

// Verify returns the claims of raw if it is acceptable at now, otherwise an *Error. It keeps no
// reference to raw. A token may have 32 KiB, as some of Amazon Cognito's have in a request by HTTP;
// HELLO carries MaxLen. Verify may block as long as the key set does; ctx ends that wait. A
// signature costs some tens to hundreds of microseconds, so do not verify new tokens in a tick.
func (v *Verifier) Verify(ctx context.Context, now time.Time, raw []byte) (*Claims, error) {
	if len(raw) > maxVerified {
		return nil, failed(CheckSize, "")
	}
	hash := v.cache.hash(raw)
	if t := v.cache.find(hash, raw); t != nil {
		switch key, err := t.usable(ctx, now); {
		case err != nil:
			return nil, err
		case key.same(t.key):
			return t.claims, nil
		} // otherwise the issuer has another key with that id now: verify again
	}
	t, err := v.parse(raw)
	if err != nil {
		return nil, err
	}
	if t.key, err = t.usable(ctx, now); err != nil {
		return nil, err
	}
	if err := t.key.verify(t.signed, t.signature); err != nil {
		return nil, err
	}
	t.kid = t.key.ID()
	t.claims.KeyID = t.kid
	t.claims.compact()
	if len(raw) <= MaxLen { // longer ones are shown once, by HTTP
		v.cache.add(hash, raw, t.verified)
	}
	return t.claims, nil
}

// Unverified returns the claims of raw if everything but its signature is acceptable at now: form,
// algorithm, issuer, subject, audience and times. These claims are unauthenticated: use them only
// to decide how long to wait for Verify. Unverified takes some microseconds, queries no key set and
// keeps nothing. Errors are those of Verify.
func (v *Verifier) Unverified(now time.Time, raw []byte) (*Claims, error) {
	if len(raw) > maxVerified {
		return nil, failed(CheckSize, "")
	}
	t, err := v.parse(raw)
	if err != nil {
		return nil, err
	}
	if err := t.profile.times(t.claims, now); err != nil {
		return nil, err
	}
	return t.claims, nil
}

// A parsed token has the right form and claims. Its signature has not been verified.
type parsed struct {
	verified
	signed, signature []byte
}

// A verified token is an entry of the cache. It does not change once it is there.
type verified struct {
	hash    uint64
	raw     []byte // a copy
	profile *Profile
	kid     string
	key     Key // that the signature was checked with
	claims  *Claims
}

// parse does all that needs neither the time nor a key.
func (v *Verifier) parse(raw []byte) (*parsed, error) {
	c, err := splitCompact(raw)
	if err != nil {
		if inner := trim(raw); len(inner) < len(raw) {
			if _, wrong := splitCompact(inner); wrong == nil {
				err = failed(CheckSpace, "")
			}
		}
		return nil, err
	}
	h, err := parseHeader(c.header)
	if err != nil {
		return nil, err
	}
	o, err := parseClaims(c.claims)
	if err != nil {
		return nil, err
	}
	p, err := v.profile(o)
	if err != nil {
		return nil, err
	}
	if err := h.check(p); err != nil {
		return nil, err
	}
	claims, err := p.claims(o, c.signed)
	if err != nil {
		return nil, err
	}
	return &parsed{verified{profile: p, kid: h.kid, claims: claims}, c.signed, c.signature}, nil
}

// profile picks the rules by the issuer that the token names.
func (v *Verifier) profile(o object) (*Profile, error) {
	p := v.unnamed
	if iss, present := o["iss"]; present {
		name, ok := iss.(string)
		if !ok {
			return nil, badClaim("iss", "not a text")
		}
		p = v.profiles[name]
	}
	if p == nil {
		return nil, failed(CheckIssuer, "iss")
	}
	return p, nil
}

// usable checks what may change at any moment: the times, and whether the issuer still has the key,
// which it returns.
func (t *verified) usable(ctx context.Context, now time.Time) (Key, error) {
	if err := t.profile.times(t.claims, now); err != nil {
		return Key{}, err
	}
	return t.profile.key(ctx, t.kid)
}

// key returns the issuer's key of that name, if it is for the profile's algorithm.
func (p *Profile) key(ctx context.Context, kid string) (Key, error) {
	key, err := p.Keys.Key(ctx, kid)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return Key{}, failed(CheckKey, "kid")
	case err != nil || key.material == nil:
		return Key{}, failed(CheckKeySet, "")
	case key.alg != p.Algorithm: // RFC 8725 3.1: one algorithm per key
		return Key{}, &Error{Check: CheckAlgorithm, Claim: "kid", text: "the key named by its kid is for another one"}
	}
	return key, nil
}
