package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxAnswer is the longest answer that a Client reads, in bytes: 1,000 sessions with the longest
// names.
const maxAnswer = 8 << 20

// Client calls the API of one server. It is safe for concurrent use.
//
// An error that the server has answered is a *Problem; others are those of HTTP.
type Client struct {
	HTTP    *http.Client // whose Transport is that of identity.Source.Transport(identity.GameState)
	Address string       // host and port
}

// SessionQuery says which sessions are asked for. The zero value asks for the first 100.
type SessionQuery struct {
	Limit                             int    // at most so many; 0 for 100
	After                             uint32 // Next of the page before
	Subject, Issuer, Pseudonym, Scope string // empty for all; the first two need the permission to read names
}

func (q SessionQuery) values() url.Values {
	v := make(url.Values)
	for name, value := range map[string]string{"subject": q.Subject, "issuer": q.Issuer, "pseudonym": q.Pseudonym, "scope": q.Scope} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.After != 0 {
		v.Set("after", strconv.FormatUint(uint64(q.After), 10))
	}
	return v
}

// Sessions returns a page of the live sessions.
func (c *Client) Sessions(ctx context.Context, q SessionQuery) (s Sessions, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/sessions", q.values(), nil, &s)
}

// Session returns a live session by its name.
func (c *Client) Session(ctx context.Context, name string) (s Session, err error) {
	return s, c.call(ctx, http.MethodGet, sessionPath+url.PathEscape(name), nil, nil, &s)
}

// Stats returns what the server has counted.
func (c *Client) Stats(ctx context.Context) (s Stats, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/stats", nil, nil, &s)
}

// Revoke withdraws trust and returns how many sessions that has ended.
func (c *Client) Revoke(ctx context.Context, q RevokeRequest) (e Ended, err error) {
	return e, c.call(ctx, http.MethodPost, "/v1/revoke", nil, q, &e)
}

// BanQuery says which bans are asked for. The zero value asks for the first 100.
type BanQuery struct {
	Limit                      int    // at most so many; 0 for 100
	After                      string // Next of the page before
	Subject, Issuer, Pseudonym string // empty for all; the first two need the permission to read names
}

// Bans returns a page of the bans in force.
func (c *Client) Bans(ctx context.Context, q BanQuery) (b Bans, err error) {
	v := SessionQuery{Limit: q.Limit, Subject: q.Subject, Issuer: q.Issuer, Pseudonym: q.Pseudonym}.values()
	if q.After != "" {
		v.Set("after", q.After)
	}
	return b, c.call(ctx, http.MethodGet, "/v1/bans", v, nil, &b)
}

// Ban keeps a player out and returns how many sessions that has ended.
func (c *Client) Ban(ctx context.Context, q BanRequest) (e Ended, err error) {
	return e, c.call(ctx, http.MethodPost, "/v1/ban", nil, q, &e)
}

// Lift ends a ban before its time. An empty issuer is the server's default.
func (c *Client) Lift(ctx context.Context, issuer, subject string) (l Lifted, err error) {
	return l, c.call(ctx, http.MethodPost, "/v1/lift", nil, Target{Subject: subject, Issuer: issuer}, &l)
}

// Kick ends sessions and returns how many.
func (c *Client) Kick(ctx context.Context, q KickRequest) (e Ended, err error) {
	return e, c.call(ctx, http.MethodPost, "/v1/kick", nil, q, &e)
}

// Drain begins a drain, or changes the deadline of the one under way. Where to is not empty, the players
// are sent to the server at that address.
func (c *Client) Drain(ctx context.Context, within time.Duration, to string) (s DrainStatus, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/drain", nil, DrainRequest{within.String(), to}, &s)
}

// Drained returns the drain's status once its state differs from was, or after wait, which is 5 s
// at most.
func (c *Client) Drained(ctx context.Context, was DrainState, wait time.Duration) (s DrainStatus, err error) {
	v := url.Values{"wait": {wait.String()}}
	if was != "" {
		v.Set("state", string(was))
	}
	return s, c.call(ctx, http.MethodGet, "/v1/drain", v, nil, &s)
}

// Keys returns the ids of the server's fleet keys and, from the program that keeps the fleet's
// keys, their status.
func (c *Client) Keys(ctx context.Context) (k Keys, err error) {
	return k, c.call(ctx, http.MethodGet, "/v1/keys", nil, nil, &k)
}

// RotateKeys begins a rotation of the fleet's keys.
func (c *Client) RotateKeys(ctx context.Context) (k Keys, err error) {
	return k, c.call(ctx, http.MethodPost, "/v1/keys/rotate", nil, struct{}{}, &k)
}

// DropKeys drops all keys of the fleet, because one has leaked, and with them all tickets.
func (c *Client) DropKeys(ctx context.Context) (k Keys, err error) {
	return k, c.call(ctx, http.MethodPost, "/v1/keys/emergency", nil, struct{}{}, &k)
}

// ForgetInstance stops a rotation from waiting for an instance that no longer runs.
func (c *Client) ForgetInstance(ctx context.Context, instance string) (k Keys, err error) {
	return k, c.call(ctx, http.MethodPost, "/v1/keys/forget", nil, map[string]string{"instance": instance}, &k)
}

// call makes a call, with a body unless that is nil, and reads the answer into result.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, result any) error {
	u := url.URL{Scheme: "https", Host: c.Address, Path: path, RawQuery: query.Encode()}
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // it has been read
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case kind == "application/problem+json":
		p := new(Problem)
		if err := json.Unmarshal(b, p); err != nil {
			return fmt.Errorf("admin: %s answers with an error that cannot be read: %w", c.Address, err)
		}
		return p
	case answer.StatusCode/100 != 2 || kind != "application/json":
		return fmt.Errorf("admin: %s answers %s: it may be no admin API", c.Address, answer.Status)
	}
	if err := json.Unmarshal(b, result); err != nil {
		return fmt.Errorf("admin: %s answers what cannot be read: %w", c.Address, err)
	}
	return nil
}
