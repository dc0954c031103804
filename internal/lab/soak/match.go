package soak

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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

	// Token returns an unused identity token for a player; life zero leaves it to the issuer.
	Token func(ctx context.Context, player int, life time.Duration) ([]byte, error)
	// Stated reports whether players state the platform and build that Token mints for, or nothing.
	Stated bool

	// Stats asks the server what it has done; nil means that nobody can be asked.
	Stats func(ctx context.Context) (gameserver.Stats, error)
	// Audit asks the server what it has audited since a time; nil means that nobody can be asked.
	Audit func(ctx context.Context, since time.Time) (*tally.Trail, error)

	// Replace has another process take the server's place, and Handover says afterwards what both have on record; nil for
	// a server that stays.
	Replace  func(ctx context.Context) error
	Handover func(ctx context.Context) (succession.Handover, error)

	// Scope says whose CPU time and allocations Stats has: "process" for this process, "server" for another.
	Scope string
}

func subject(player int) string { return fmt.Sprintf("player-%d", player) }

// Embedded is a development server in this process, which records its decisions in trail.
func Embedded(s *gameserver.Server, dev *gameserver.Dev, trail *tally.Trail) Match {
	m := developed(s.Addr().String(), dev)
	m.Scope = "process"
	m.Stats = func(context.Context) (gameserver.Stats, error) { return s.Stats(), nil }
	m.Audit = func(context.Context, time.Time) (*tally.Trail, error) { return trail, nil }
	return m
}

// Replaceable is a development server in a process of its own, whose place another one can take.
func Replaceable(s *succession.Server) Match {
	m := developed(s.Addr(), s.Dev())
	m.Scope, m.Stats, m.Replace, m.Handover = "server", s.Stats, s.Replace, s.Handover
	return m
}

// developed is a server at addr whose tokens this process mints.
func developed(addr string, dev *gameserver.Dev) Match {
	return Match{
		Addr: addr, RootCAs: pool(dev.CA), Stated: true,
		Token: func(_ context.Context, player int, life time.Duration) ([]byte, error) {
			t, err := dev.Issuer.Mint(time.Now(), token.Grant{
				Subject: subject(player), Scope: scope, Platform: platform, Build: build, Life: life,
			})
			return []byte(t), err
		},
	}
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
	return Match{
		Addr: addr, RootCAs: roots, Stated: true, Scope: "server",
		Token: func(ctx context.Context, player int, life time.Duration) ([]byte, error) {
			q := url.Values{"subject": {subject(player)}, "scope": {scope}, "platform": {platform}, "build": {build}}
			if life > 0 {
				q.Set("life", life.String())
			}
			return get(ctx, f.TokenURL+"?"+q.Encode())
		},
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
	}, nil
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

// get fetches a short text.
func get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	body, err := open(ctx, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, shortText))
}

// open begins to fetch a text, which the caller closes.
func open(ctx context.Context, address string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	why, _ := io.ReadAll(io.LimitReader(resp.Body, shortText))
	return nil, fmt.Errorf("%s: %s %s", address, resp.Status, bytes.TrimSpace(why))
}
