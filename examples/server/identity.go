package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"

	"github.com/sallyport/sallyport/examples/internal/gameserver"
	"github.com/sallyport/sallyport/token"
)

// algorithms are those with a public key, in the order in which a file of keys is tried.
var algorithms = []token.Algorithm{token.ES256, token.RS256, token.EdDSA}

// identity is who the server is and whose players it admits.
func identity(f *flags) (gameserver.Config, error) {
	if f.dev {
		return devIdentity(f)
	}
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return gameserver.Config{}, fmt.Errorf("cannot use -cert %s with -key %s: %w", f.cert, f.key, err)
	}
	alg, keys, err := issuerKeys(f)
	if err != nil {
		return gameserver.Config{}, err
	}
	profile := token.Profile{Issuer: f.issuer, Audience: []string{f.audience}, Algorithm: alg, Keys: keys}
	if f.typ != "JWT" {
		profile.Type = f.typ
	}
	verifier, err := token.NewVerifier(profile)
	if err != nil {
		return gameserver.Config{}, err
	}
	return gameserver.Config{Certificate: cert, Verifier: verifier}, nil
}

func devIdentity(f *flags) (gameserver.Config, error) {
	dev, err := gameserver.NewDev(f.host())
	if err != nil {
		return gameserver.Config{}, err
	}
	verifier, err := dev.Verifier()
	return gameserver.Config{Certificate: dev.Certificate, Verifier: verifier, Dev: dev}, err
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
