package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/token"
)

// algorithms are those with a public key, in the order in which a file of keys is tried.
var algorithms = []token.Algorithm{token.ES256, token.RS256, token.EdDSA}

// identity is who the server is and whose players it admits. keys is the provider that must be closed, nil if none.
func identity(f *flags) (config gameserver.Config, keys provider, err error) {
	if f.dev {
		config, err = devIdentity(f)
		return config, nil, err
	}
	if config.Certificate, err = tls.LoadX509KeyPair(f.cert, f.key); err != nil {
		return config, nil, fmt.Errorf("cannot use -cert %s with -key %s: %w", f.cert, f.key, err)
	}
	rules, keys, err := profiles(f)
	if err != nil {
		return config, nil, err
	}
	config.Issuer = cmp.Or(rules[0].Name, rules[0].Issuer)
	if f.cognitoPool != "" {
		config.Authorize = anyScope
	}
	if config.Verifier, err = token.NewVerifier(rules...); err != nil && keys != nil {
		keys.Close() //nolint:errcheck // always nil
	}
	return config, keys, err
}

func devIdentity(f *flags) (gameserver.Config, error) {
	dev, err := gameserver.NewDev(f.host())
	if err != nil {
		return gameserver.Config{}, err
	}
	dev.Public, dev.Unbound = f.devPublic, f.devUnbound
	verifier, err := dev.Verifier()
	issuer := dev.Issuer.Profile().Issuer
	return gameserver.Config{Certificate: dev.Certificate, Verifier: verifier, Issuer: issuer, Dev: dev}, err
}

// profiles are the rules for the players' tokens.
func profiles(f *flags) ([]token.Profile, provider, error) {
	if f.cognitoPool != "" {
		return userPool(f)
	}
	p := token.Profile{Issuer: f.issuer, Audience: []string{f.audience}}
	if f.typ != "JWT" {
		p.Type = f.typ
	}
	if f.jwks != "" {
		return published(f, p)
	}
	alg, keys, err := issuerKeys(f)
	p.Algorithm, p.Keys = alg, keys
	return []token.Profile{p}, nil, err
}

// issuerKeys reads -keys for the algorithm of -alg, else for the first one that the file has keys for.
func issuerKeys(f *flags) (token.Algorithm, *token.StaticKeys, error) {
	data, err := os.ReadFile(f.keys)
	if err != nil {
		return "", nil, fmt.Errorf("cannot read -keys: %w", err)
	}
	tried := algorithms
	if f.alg != "" {
		tried = []token.Algorithm{token.Algorithm(f.alg)}
	}
	var errs []error
	for _, alg := range tried {
		keys, err := token.ParseKeys(data, alg)
		if err == nil {
			return alg, keys, nil
		}
		errs = append(errs, err)
	}
	if len(errs) > 1 {
		return "", nil, fmt.Errorf("-keys %s holds no public keys of ES256, RS256 or EdDSA, or not only such: give PEM or a JWK set", f.keys)
	}
	return "", nil, fmt.Errorf("-keys %s: %w", f.keys, errors.Join(errs...))
}
