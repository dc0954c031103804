package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/keyset"
	"github.com/sallyport/sallyport/token"
)

// algorithms are those with a public key, in the order in which a file of keys is tried.
var algorithms = []token.Algorithm{token.ES256, token.RS256, token.EdDSA}

// tokenRules are the flags that say which tokens a server takes.
type tokenRules struct {
	issuer, audience, typ, alg string
	keys, jwks                 string
	maxLife, leeway            time.Duration

	pool, clients, endpoint, use, groups string

	nakamaKey string
}

func (f *tokenRules) define(set *flag.FlagSet) {
	set.StringVar(&f.issuer, "issuer", "", "issuer (iss) of the tokens")
	set.StringVar(&f.audience, "audience", "", "`audiences` (aud), with commas between, one of which the token must name")
	set.StringVar(&f.keys, "keys", "", "PEM or JWK set `file`: the issuer's public keys")
	set.StringVar(&f.jwks, "jwks", "", "`URL` of the issuer's JWK set, or a file with it")
	set.StringVar(&f.alg, "alg", "", "signature `algorithm`: ES256, RS256 or EdDSA; empty means what -keys are for, RS256 with a URL")
	set.StringVar(&f.typ, "typ", "at+jwt", "`type` (typ) of the tokens: at+jwt, or JWT, which may be missing too")
	set.DurationVar(&f.maxLife, "max-life", 0, "longest life; 0 means 15m, for Cognito 1h")
	set.DurationVar(&f.leeway, "leeway", 0, "for clocks that differ; 0 means 5s, less than 0 none")
	set.StringVar(&f.pool, "cognito-pool", "", "user `pool` of Amazon Cognito, in place of -issuer, -audience, -keys and -jwks")
	set.StringVar(&f.clients, "cognito-clients", "", "`ids` of its app clients, with commas between")
	set.StringVar(&f.endpoint, "cognito-endpoint", "", "`URL` of an emulator or another partition; empty means Amazon's")
	set.StringVar(&f.use, "cognito-use", "access", "which `token` of a sign-in: access or id")
	set.StringVar(&f.groups, "cognito-groups", "", "`groups`, with commas between, one of which the player must be in; empty: any")
	set.StringVar(&f.nakamaKey, "nakama-key", "", "`file` with session.encryption_key of a Nakama server, for its session tokens")
}

// given reports whether there are rules.
func (f *tokenRules) given() bool { return f.issuer+f.audience+f.keys+f.jwks+f.pool+f.nakamaKey != "" }

func (f *tokenRules) check() error {
	kinds := 0
	for _, given := range []bool{f.issuer+f.audience+f.keys+f.jwks != "", f.pool != "", f.nakamaKey != ""} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return errors.New("-issuer with its flags, -cognito-pool and -nakama-key are different rules: give one of them")
	case f.pool == "" && f.clients+f.endpoint+f.groups != "":
		return errors.New("-cognito-clients, -cognito-endpoint and -cognito-groups go with -cognito-pool")
	case f.pool != "" && f.clients == "":
		return errors.New("-cognito-pool: give the ids of its app clients by -cognito-clients")
	case f.use != "access" && f.use != "id":
		return fmt.Errorf("-cognito-use %q: must be access or id", f.use)
	case f.pool != "" || f.nakamaKey != "" || kinds == 0:
		return nil
	case f.issuer == "" || f.audience == "" || (f.keys == "") == (f.jwks == ""):
		return errors.New("give -issuer, -audience and one of -keys and -jwks; or -cognito-pool, -nakama-key, or no rules at all")
	case f.alg != "" && !slices.Contains(algorithms, token.Algorithm(f.alg)):
		return fmt.Errorf("-alg %q: must be ES256, RS256 or EdDSA", f.alg)
	}
	return nil
}

// openRules are rules that have been read.
type openRules struct {
	profiles []token.Profile
	close    func()
	fetched  atomic.Pointer[token.Fetch] // the last fetch of a key set, if there was one

	list func(context.Context) []keyset.Key // of the issuer; nil where nobody can tell
}

// open reads the files that the rules name. It fetches nothing.
func (f *tokenRules) open() (*openRules, error) {
	r := &openRules{close: func() {}, list: func(context.Context) []keyset.Key { return nil }}
	if !f.given() {
		return r, nil
	}
	fetched := func(got token.Fetch) { r.fetched.Store(&got) }
	var err error
	switch {
	case f.pool != "":
		err = f.openPool(r, fetched)
	case f.nakamaKey != "":
		err = f.openNakama(r)
	default:
		err = f.openIssuer(r, fetched)
	}
	if err == nil {
		if _, err = token.NewVerifier(r.profiles...); err != nil {
			r.close()
		}
	}
	return r, err
}

func (f *tokenRules) openPool(r *openRules, fetched func(token.Fetch)) error {
	config := token.CognitoConfig{
		Pool: f.pool, Clients: strings.Split(f.clients, ","), Endpoint: f.endpoint, MaxLife: f.maxLife, Leeway: f.leeway, OnFetch: fetched,
	}
	if f.use == "id" {
		config.Use = token.CognitoID
	}
	if f.groups != "" {
		config.Groups = strings.Split(f.groups, ",")
	}
	pool, err := token.NewCognito(config)
	if err != nil {
		return fmt.Errorf("cannot use -cognito-pool: %w", err)
	}
	r.profiles, r.close = pool.Profiles(), func() { pool.Close() } //nolint:errcheck // always nil
	r.list = listURL(pool.Profiles()[0].Issuer + "/.well-known/jwks.json")
	return nil
}

func (f *tokenRules) openNakama(r *openRules) error {
	secret, err := os.ReadFile(f.nakamaKey)
	if err != nil {
		return fmt.Errorf("cannot read -nakama-key: %w", err)
	}
	defer clear(secret)
	key, err := token.NewSecretKey("", bytes.TrimSpace(secret))
	if err != nil {
		return fmt.Errorf("cannot use -nakama-key: %w", err)
	}
	keys, err := token.NewStaticKeys(key)
	if err != nil {
		return fmt.Errorf("cannot use -nakama-key: %w", err)
	}
	r.profiles = []token.Profile{{
		Issuer: "nakama", Form: token.FormNakama, Algorithm: token.HS256, Keys: keys, MaxLife: f.maxLife, Leeway: f.leeway,
	}}
	return nil
}

func (f *tokenRules) openIssuer(r *openRules, fetched func(token.Fetch)) error {
	p := token.Profile{Issuer: f.issuer, Audience: strings.Split(f.audience, ","), MaxLife: f.maxLife, Leeway: f.leeway}
	if f.typ != "JWT" {
		p.Type = f.typ
	}
	path := f.keys
	if f.jwks != "" && !strings.Contains(f.jwks, "://") {
		path = f.jwks
	}
	if path != "" {
		alg, keys, err := readKeys(path, f.alg)
		p.Algorithm, p.Keys = alg, keys
		r.profiles = []token.Profile{p}
		r.list = func(context.Context) []keyset.Key {
			data, _ := os.ReadFile(path)
			keys, _ := keyset.Describe(data)
			return keys
		}
		return err
	}
	p.Algorithm = token.RS256
	if f.alg != "" {
		p.Algorithm = token.Algorithm(f.alg)
	}
	keys, err := token.NewRemoteKeys(token.RemoteConfig{URL: f.jwks, Algorithm: p.Algorithm, OnFetch: fetched})
	if err != nil {
		return fmt.Errorf("cannot use -jwks: %w", err)
	}
	p.Keys = keys
	r.profiles, r.close = []token.Profile{p}, func() { keys.Close() } //nolint:errcheck // always nil
	r.list = listURL(f.jwks)
	return nil
}

// listURL lists the keys that are published at a URL.
func listURL(url string) func(context.Context) []keyset.Key {
	return func(ctx context.Context) []keyset.Key {
		p, _ := keyset.Fetch(ctx, url)
		keys, _ := keyset.Describe(p.Body)
		return keys
	}
}

// readKeys reads a file of keys, for alg or else for the first algorithm that it has keys for.
func readKeys(path, alg string) (token.Algorithm, *token.StaticKeys, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", nil, fmt.Errorf("cannot read the keys: %w", err)
	}
	tried := algorithms
	if alg != "" {
		tried = []token.Algorithm{token.Algorithm(alg)}
	}
	for _, a := range tried {
		var keys *token.StaticKeys
		if keys, err = token.ParseKeys(data, a); err == nil {
			return a, keys, nil
		}
	}
	if len(tried) > 1 {
		return "", nil, fmt.Errorf("%s holds no public keys of ES256, RS256 or EdDSA, or not only such: give PEM or a JWK set", path)
	}
	return "", nil, fmt.Errorf("%s: %w", path, err)
}
