// Package keyset looks at what an identity provider publishes: a JWK set (RFC 7517). It verifies no
// tokens; package token does.
package keyset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/show"
)

// fetchTime is how long a fetch may take, and maxKeySet how long an answer may be in bytes: as long
// as token.RemoteKeys lets it be.
const (
	fetchTime = 5 * time.Second
	maxKeySet = 64 << 10
)

// Answer is that of a JWKS endpoint.
type Answer struct {
	Body []byte
	Date time.Time     // of the Date header; zero without one
	Took time.Duration // until the answer
}

// Fetch asks for a JWK set, as token.RemoteKeys does: 5 s and 64 KiB at most, and redirects to the same
// host alone.
func Fetch(ctx context.Context, url string) (a Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return a, err
	}
	began := time.Now()
	client := http.Client{CheckRedirect: stayOnHost}
	answer, err := client.Do(req)
	if err != nil {
		return a, err
	}
	defer answer.Body.Close() //nolint:errcheck // it is read, or of no use
	a.Took = time.Since(began)
	a.Date, _ = http.ParseTime(answer.Header.Get("Date"))
	if answer.StatusCode != http.StatusOK {
		return a, fmt.Errorf("it answers %s", answer.Status)
	}
	a.Body, err = io.ReadAll(io.LimitReader(answer.Body, maxKeySet+1))
	if err == nil && len(a.Body) > maxKeySet {
		err = fmt.Errorf("its answer is longer than %d bytes", maxKeySet)
	}
	return a, err
}

// stayOnHost refuses what a server refuses.
func stayOnHost(req *http.Request, via []*http.Request) error {
	if first := via[0].URL; len(via) > 3 || req.URL.Scheme != first.Scheme || req.URL.Host != first.Host {
		return errors.New("it redirects elsewhere, which a server does not follow")
	}
	return nil
}

// Key is what a key of a set says about itself.
type Key struct {
	ID        string `json:"kid"`
	Type      string `json:"kty"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	Curve     string `json:"crv"`
	Private   string `json:"d"`
}

// Describe lists what a JWK set says about its keys.
func Describe(set []byte) (keys []Key, err error) {
	var s struct {
		Keys []Key `json:"keys"`
	}
	if json.Unmarshal(set, &s) != nil || s.Keys == nil {
		return nil, errors.New("it is no JWK set")
	}
	return s.Keys, nil
}

// String is a key for a person: its name, and what it is for.
func (k Key) String() string {
	kind := k.Type
	if k.Curve != "" {
		kind += " " + k.Curve
	}
	if k.Algorithm != "" {
		kind += " " + k.Algorithm
	}
	if k.Use != "" && k.Use != "sig" {
		kind += " for " + k.Use
	}
	return show.Safe(fmt.Sprintf("%q (%s)", k.ID, kind))
}
