package token

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A TokenUse selects which of the two tokens of a sign-in at Amazon Cognito players present.
type TokenUse uint8

const (
	CognitoAccess TokenUse = iota // access token: meant for servers
	CognitoID                     // ID token: meant for the app, and full of personal data
)

// String returns the use as the claim token_use has it, or "use N".
func (u TokenUse) String() string {
	switch u {
	case CognitoAccess:
		return "access"
	case CognitoID:
		return "id"
	}
	return "use " + strconv.Itoa(int(u))
}

// CognitoConfig configures a user pool. Pool and Clients are required.
type CognitoConfig struct {
	Pool    string   // "eu-central-1_AbCdEf123": the region, "_", the name
	Clients []string // app client ids; a token must be for one of them
	Use     TokenUse
	Groups  []string // when not empty, the player must be in one of them
	Keep    []string // as in Profile

	// MaxLife is the longest accepted lifetime. Zero means DefaultCognitoLife; negative is an error. A token that lives
	// longer is refused with ErrLife: set it to the lifetime that the app client gives its tokens,
	// or better, set that to 5 minutes.
	MaxLife time.Duration
	Leeway  time.Duration // as in Profile

	// Endpoint replaces https://cognito-idp.<region>.amazonaws.com for pools elsewhere: in an
	// emulator, or in a partition of AWS with another domain, such as China's or the sovereign
	// cloud's of the European Union, for whose pools it is required. The issuer is Endpoint, "/",
	// Pool. It may be http on this host alone.
	Endpoint string

	Transport http.RoundTripper // as in RemoteConfig
	OnFetch   func(Fetch)       // as in RemoteConfig
}

// Cognito is one user pool: its rules and its keys. It is safe for concurrent use.
//
// A pool has two issuer names: https://cognito-idp.<region>.amazonaws.com/<pool>, and since it can
// be replicated to other regions also https://issuer-cognito-idp.<region>.amazonaws.com/<pool>.
// Each publishes its keys under its own name, and they are kept apart. The player is the same:
// Claims.Issuer is the first name for both.
type Cognito struct {
	profiles []Profile
	keys     []*RemoteKeys // of each profile
}

// poolID matches the ids of Amazon's user pools. Emulators have other names for regions.
var (
	poolID     = regexp.MustCompile(`^[a-z]{2}-(gov-)?[a-z]+-[0-9]_[a-zA-Z0-9]{1,64}$`)
	elsewhere  = regexp.MustCompile(`^(cn|eusc-[a-z]{2}|[a-z]{2}-iso[a-z]?)-[a-z]+-[0-9]_`) // partitions with domains of their own
	emulatedID = regexp.MustCompile(`^[a-zA-Z0-9-]{1,64}_[a-zA-Z0-9]{1,64}$`)
)

// NewCognito returns a pool whose keys are fetched with the first token, or by Hydrate. Errors
// match ErrConfig.
func NewCognito(config CognitoConfig) (*Cognito, error) {
	if config.Use > CognitoID {
		return nil, withDetail(ErrConfig, "Use is unknown")
	}
	issuers, err := config.issuers()
	if err != nil {
		return nil, err
	}
	c := &Cognito{}
	for _, issuer := range issuers {
		p := config.profile(issuer, issuers[0])
		keys, err := NewRemoteKeys(RemoteConfig{
			URL: issuer + "/.well-known/jwks.json", Algorithm: RS256, Transport: config.Transport, OnFetch: config.OnFetch,
		})
		if err != nil {
			return nil, err
		}
		p.Keys = keys
		if _, err := p.complete(); err != nil {
			return nil, err
		}
		c.profiles, c.keys = append(c.profiles, p), append(c.keys, keys)
	}
	return c, nil
}

// issuers returns the names of the pool, the usual one first.
func (c *CognitoConfig) issuers() ([]string, error) {
	if c.Endpoint != "" {
		if !emulatedID.MatchString(c.Pool) {
			return nil, withDetail(ErrConfig, "Pool must be a region, an underscore, letters and digits")
		}
		return []string{strings.TrimSuffix(c.Endpoint, "/") + "/" + c.Pool}, nil
	}
	if elsewhere.MatchString(c.Pool) {
		return nil, withDetail(ErrConfig, "Endpoint is missing: the pool's partition of AWS has a domain of its own, "+
			"as in https://cognito-idp.cn-north-1.amazonaws.com.cn or https://cognito-idp.eusc-de-east-1.amazonaws.eu")
	}
	if !poolID.MatchString(c.Pool) {
		return nil, withDetail(ErrConfig, "Pool must be like eu-central-1_AbCdEf123")
	}
	region, _, _ := strings.Cut(c.Pool, "_")
	domain := region + ".amazonaws.com/" + c.Pool
	return []string{"https://cognito-idp." + domain, "https://issuer-cognito-idp." + domain}, nil
}

func (c *CognitoConfig) profile(issuer, name string) Profile {
	p := Profile{
		Issuer: issuer, Name: name, Audience: c.Clients, Groups: c.Groups, Keep: c.Keep, Algorithm: RS256,
		MaxLife: c.MaxLife, Leeway: c.Leeway, Form: FormCognito,
	}
	if c.Use == CognitoID {
		p.Form = FormCognitoID
	}
	p.MaxLife = cmp.Or(p.MaxLife, DefaultCognitoLife)
	return p
}

// Profiles returns the rules for the pool's tokens, one for each of its names, for NewVerifier.
func (c *Cognito) Profiles() []Profile { return c.profiles }

// Hydrate fetches the keys that the pool publishes under its usual name, see RemoteKeys.Hydrate.
// Those under the other name are fetched with the first token that uses it.
func (c *Cognito) Hydrate(ctx context.Context) error { return c.keys[0].Hydrate(ctx) }

// Stats returns the counts for both names together; Fetched is that of the usual one.
func (c *Cognito) Stats() RemoteStats {
	sum := c.keys[0].Stats()
	for _, k := range c.keys[1:] {
		s := k.Stats()
		sum.Keys += s.Keys
		sum.Fetches += s.Fetches
		sum.Failures += s.Failures
		sum.Waited += s.Waited
		sum.Unknown += s.Unknown
		sum.Refused += s.Refused
	}
	return sum
}

// Close stops background fetches, see RemoteKeys.Close.
func (c *Cognito) Close() error {
	var errs []error
	for _, k := range c.keys {
		errs = append(errs, k.Close())
	}
	return errors.Join(errs...)
}
