package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// hydrateTime is how long a start waits for an identity provider.
const hydrateTime = 5 * time.Second

// provider publishes the keys of its tokens: a token.RemoteKeys or a token.Cognito.
type provider interface {
	Hydrate(ctx context.Context) error
	Close() error
}

// published is p with the keys of -jwks.
func published(f *flags, p token.Profile) ([]token.Profile, provider, error) {
	p.Algorithm = token.RS256
	if f.alg != "" {
		p.Algorithm = token.Algorithm(f.alg)
	}
	keys, err := token.NewRemoteKeys(token.RemoteConfig{URL: f.jwks, Algorithm: p.Algorithm})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use -jwks: %w", err)
	}
	p.Keys = keys
	return []token.Profile{p}, keys, nil
}

// userPool is the rules and keys of -cognito-pool.
func userPool(f *flags) ([]token.Profile, provider, error) {
	pool, err := token.NewCognito(token.CognitoConfig{
		Pool: f.cognitoPool, Clients: strings.Split(f.cognitoClients, ","), Endpoint: f.cognitoEndpoint,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use -cognito-pool: %w", err)
	}
	return pool.Profiles(), pool, nil
}

// anyScope admits whoever is signed in, to the one match there is: a user pool's tokens name none.
func anyScope(*session.Admission) error { return nil }

// hydrate fetches the keys, so that no player waits for them. A provider that is down keeps nobody from starting: it is
// asked again, and until then its players are told to come again.
func hydrate(ctx context.Context, keys provider, log *slog.Logger) {
	if keys == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hydrateTime)
	defer cancel()
	if err := keys.Hydrate(ctx); err != nil {
		log.Warn("no keys to verify players with yet", "error", err)
	}
}
