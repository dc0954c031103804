package soak

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/succession"
	"github.com/sallyport/sallyport/internal/lab/tally"
	"github.com/sallyport/sallyport/token"
)

// What a player states of itself, and what its tokens are minted for.
const (
	platform = "go"
	build    = "soak"
	scope    = "arena"
)

// Match is a server to play on.
type Match struct {
	Addr    string         // UDP
	RootCAs *x509.CertPool // nil means the system's

	// Fallback is the players' transport.ClientConfig.Fallback.
	Fallback func(ctx context.Context, server string) (net.PacketConn, net.Addr, error)

	// Token returns an unused identity token for a player; life zero leaves it to the issuer.
	Token func(ctx context.Context, player int, life time.Duration) ([]byte, error)
	// Stated reports whether players state the platform and build that Token mints for, or nothing.
	Stated bool

	// Mint returns a fresh identity token for anybody; nil means that nobody can have one, and so that this server cannot
	// be attacked.
	Mint func(ctx context.Context, g token.Grant) ([]byte, error)

	// Stats asks the server what it has done; nil means that nobody can be asked.
	Stats func(ctx context.Context) (gameserver.Stats, error)
	// Audit asks the server what it has audited since a time; nil means that nobody can be asked.
	Audit func(ctx context.Context, since time.Time) (*tally.Trail, error)

	// Replace has another process take the server's place, and Handover says afterwards what both have on record; nil for
	// a server that stays.
	Replace  func(ctx context.Context) error
	Handover func(ctx context.Context) (succession.Handover, error)

	// Trail counts the server's decisions, and Hang makes its next tick last so much longer; nil for a server in another
	// process.
	Trail *tally.Trail
	Hang  func(time.Duration)

	// Scope says whose CPU time and allocations Stats has: "process" for this process, "server" for another.
	Scope string
}

func subject(player int) string { return fmt.Sprintf("player-%d", player) }

// Embedded is a development server in this process, which records its decisions in trail.
func Embedded(s *gameserver.Server, dev *gameserver.Dev, trail *tally.Trail) Match {
	m := developed(s.Addr().String(), dev)
	m.Scope, m.Trail, m.Hang = "process", trail, s.Hang
	m.Stats = func(context.Context) (gameserver.Stats, error) { return s.Stats(), nil }
	m.Audit = func(context.Context, time.Time) (*tally.Trail, error) { return trail, nil }
	return m
}

// StartEmbedded starts a development server in this process, which end stops.
func StartEmbedded(tick int) (m Match, end func(), err error) {
	dev, err := gameserver.NewDev()
	if err != nil {
		return m, nil, err
	}
	verifier, err := dev.Verifier()
	if err != nil {
		return m, nil, err
	}
	trail := &tally.Trail{}
	server, err := gameserver.Start(gameserver.Config{
		Listen: "127.0.0.1:0", Tick: tick, Certificate: dev.Certificate, Verifier: verifier, Audit: trail, Dev: dev,
	})
	if err != nil {
		return m, nil, err
	}
	return Embedded(server, dev, trail), func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		server.Shutdown(ctx) //nolint:errcheck // nobody is left to be told
	}, nil
}

// StartReplaceable starts a development server in a child process, whose place another one can take. end stops it.
func StartReplaceable(tick int) (m Match, end func(), err error) {
	s, err := succession.Start(tick)
	if err != nil {
		return m, nil, fmt.Errorf("cannot start the server's process: %w", err)
	}
	m = developed(s.Addr(), s.Dev())
	m.Scope, m.Stats, m.Replace, m.Handover = "server", s.Stats, s.Replace, s.Handover
	return m, func() {
		s.Close() //nolint:errcheck // nobody is left to be told
	}, nil
}

// developed is a server at addr whose tokens this process mints.
func developed(addr string, dev *gameserver.Dev) Match {
	return Match{Addr: addr, RootCAs: pool(dev.CA)}.Minting(func(_ context.Context, g token.Grant) ([]byte, error) {
		t, err := dev.Issuer.Mint(time.Now(), g)
		return []byte(t), err
	})
}

// Minting returns m with tokens from mint, those of its players included.
func (m Match) Minting(mint func(context.Context, token.Grant) ([]byte, error)) Match {
	m.Mint, m.Stated = mint, true
	m.Token = func(ctx context.Context, player int, life time.Duration) ([]byte, error) {
		return mint(ctx, token.Grant{Subject: subject(player), Scope: scope, Platform: platform, Build: build, Life: life})
	}
	return m
}

// Remote is a development server at addr that wrote f.
func Remote(addr string, f gameserver.File) (Match, error) {
	u, err := url.Parse(f.TokenURL)
	if err != nil {
		return Match{}, err
	}
	roots := pool([]byte(f.CA))
	if roots == nil {
		return Match{}, fmt.Errorf("ca_pem holds no certificate")
	}
	m := Match{
		Addr: addr, RootCAs: roots, Scope: "server",
		Stats: func(ctx context.Context) (s gameserver.Stats, err error) {
			b, err := get(ctx, u.ResolveReference(&url.URL{Path: "/stats"}).String())
			if err == nil {
				err = json.Unmarshal(b, &s)
			}
			return s, err
		},
		Audit: func(ctx context.Context, since time.Time) (*tally.Trail, error) {
			return readEvents(ctx, u.ResolveReference(&url.URL{Path: "/events"}).String(), since)
		},
	}
	return m.Minting(func(ctx context.Context, g token.Grant) ([]byte, error) {
		q := url.Values{"subject": {g.Subject}, "scope": {g.Scope}, "platform": {g.Platform}, "build": {g.Build}}
		if g.Life > 0 {
			q.Set("life", g.Life.String())
		}
		return get(ctx, f.TokenURL+"?"+q.Encode())
	}), nil
}

// Tokens is a server at addr that admits players with tokens from elsewhere, one for each player. There are no others,
// so a session ends with its token and nobody rejoins.
func Tokens(addr string, roots *x509.CertPool, tokens []string) Match {
	var mu sync.Mutex
	used := make([]bool, len(tokens))
	return Match{
		Addr: addr, RootCAs: roots,
		Token: func(_ context.Context, player int, _ time.Duration) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			if used[player] {
				return nil, fmt.Errorf("the token file has no second token for this player")
			}
			used[player] = true
			return []byte(tokens[player]), nil
		},
	}
}

func pool(pem []byte) *x509.CertPool {
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		return nil
	}
	return p
}
