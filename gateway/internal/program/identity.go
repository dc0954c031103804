package program

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// hydrateTime is how long a start waits for an identity provider.
const hydrateTime = 5 * time.Second

// devHandshakes bounds handshakes in development, where all players share one source prefix.
const devHandshakes = 4096

// identity is who the gateway is and whose players it admits.
func (p *program) identity(ctx context.Context, c *transport.Config) (err error) {
	f := p.flags
	if f.fleetKeys != "" {
		keys, err := readFleetKeys(f.fleetKeys)
		if err != nil {
			return err
		}
		if p.ring, err = fleetkey.NewRing(keys...); err != nil {
			return fmt.Errorf("cannot use -fleet-keys: %w", err)
		}
		c.Session.FleetKeys, c.Snapshot = p.ring, f.snapshot
	}
	c.Session.Scope = f.scope
	if f.dev {
		if p.dev, err = newDevIssuer(f.listen); err != nil {
			return err
		}
		c.Certificate = p.dev.certificate
		c.Sources = policy.SourceConfig{PerSecond: devHandshakes, Burst: devHandshakes}
		c.MaxUnproven = devHandshakes
		profile := p.dev.issuer.Profile()
		profile.Keep = f.claims
		c.Verifier, err = token.NewVerifier(profile)
		return err
	}
	if c.Certificate, err = tls.LoadX509KeyPair(f.cert, f.key); err != nil {
		return fmt.Errorf("cannot use -cert %s with -key %s: %w", f.cert, f.key, err)
	}
	profile := token.Profile{Issuer: f.issuer, Audience: []string{f.audience}, Algorithm: token.Algorithm(f.alg), Keep: f.claims}
	if f.typ != "JWT" {
		profile.Type = f.typ
	}
	if profile.Keys, err = p.keySet(ctx, profile.Algorithm); err != nil {
		return err
	}
	c.Verifier, err = token.NewVerifier(profile)
	return err
}

// keySet is the issuer's keys. A provider that is down keeps nobody from starting: it is asked again.
func (p *program) keySet(ctx context.Context, alg token.Algorithm) (token.KeySet, error) {
	if p.flags.jwks == "" {
		p.keys = new(issuerKeys)
		return p.keys, p.keys.read(p.flags.keys, alg)
	}
	remote, err := token.NewRemoteKeys(token.RemoteConfig{URL: p.flags.jwks, Algorithm: alg})
	if err != nil {
		return nil, fmt.Errorf("cannot use -jwks: %w", err)
	}
	p.closers = append(p.closers, func() { remote.Close() }) //nolint:errcheck // always nil
	ctx, cancel := context.WithTimeout(ctx, hydrateTime)
	defer cancel()
	if err := remote.Hydrate(ctx); err != nil {
		p.log.Warn("no keys to verify players with yet", "error", err)
	}
	return remote, nil
}
