package dev

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport/sallyport/transport"
)

const (
	requestTime = 10 * time.Second // of one request
	maxAnswer   = 16 << 10         // bytes: several times a ticket
	maxQuoted   = 200              // bytes of an answer in an error: a login's own is shorter
)

// SignIn asks the Login at a TCP address, such as DefaultAddress, for the player called name. It
// returns the address of the match server and how to Dial it: whenever the client needs a token it
// asks the Login for a fresh one.
func SignIn(ctx context.Context, login, name string) (address string, config transport.ClientConfig, err error) {
	t, err := signIn(ctx, login, name)
	if err != nil {
		return "", config, fmt.Errorf("dev: cannot sign in at %s: %w", login, err)
	}
	pin, err := hex.DecodeString(t.Pin)
	if err != nil || len(pin) != 32 {
		return "", config, fmt.Errorf("dev: cannot sign in at %s: the answer is not that of a Login", login)
	}
	config.Pin = (*[32]byte)(pin)
	config.Token = func(ctx context.Context) ([]byte, error) {
		t, err := signIn(ctx, login, name)
		return []byte(t.Token), err
	}
	return t.Address, config, nil
}

func signIn(ctx context.Context, login, name string) (t ticket, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	u := url.URL{Scheme: "http", Host: login, Path: "/", RawQuery: url.Values{"name": {name}}.Encode()}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return t, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return t, fmt.Errorf("%w: is the server running?", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is read
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return t, err
	}
	if answer.StatusCode != http.StatusOK {
		return t, fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(body[:min(len(body), maxQuoted)])))
	}
	return t, json.Unmarshal(body, &t)
}
