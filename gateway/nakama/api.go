package nakama

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/customid"
)

// api is Nakama's HTTP API. Its methods are safe for concurrent use.
type api struct {
	url, serverKey string
	client         *http.Client
}

func newAPI(url, serverKey string) *api {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy, t.MaxIdleConnsPerHost = nil, checksAtOnce+DefaultDials
	return &api{url, serverKey, &http.Client{
		Transport: t, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// close closes idle connections.
func (a *api) close() { a.client.CloseIdleConnections() }

// statusError is an answer that is no success.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("nakama: the server answers %d %s", e.status, http.StatusText(e.status))
}

// is reports whether err is the answer with this status.
func is(err error, status int) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && e.status == status
}

// healthy returns nil if Nakama answers that it is well.
func (a *api) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return a.do(ctx, http.MethodGet, "/healthcheck", "", nil, nil)
}

// nakamaSession is a session that Nakama has given.
type nakamaSession struct {
	Token   string `json:"token"`
	Refresh string `json:"refresh_token"`
}

// authenticate signs in by a custom id, and makes the account if there is none.
func (a *api) authenticate(ctx context.Context, id string) (s nakamaSession, err error) {
	query := url.Values{"create": {"true"}, "username": {customid.Username()}}
	err = a.do(ctx, http.MethodPost, "/v2/account/authenticate/custom?"+query.Encode(), a.basic(), map[string]string{"id": id}, &s)
	return s, err
}

// refresh asks for a new session in place of one that ends. Its vars stay.
func (a *api) refresh(ctx context.Context, refresh string) (s nakamaSession, err error) {
	err = a.do(ctx, http.MethodPost, "/v2/account/session/refresh", a.basic(), map[string]string{"token": refresh}, &s)
	return s, err
}

// size returns how many presences a match has, by the match's own count; false if there is no such
// match, or Nakama has not indexed it yet. session is any player's.
func (a *api) size(ctx context.Context, session, matchID string) (n int, ok bool, err error) {
	query := url.Values{"limit": {"1"}, "authoritative": {"true"}, "query": {"+_id:" + matchID}}
	var list struct {
		Matches []struct {
			ID   string `json:"match_id"`
			Size int    `json:"size"`
		} `json:"matches"`
	}
	err = a.do(ctx, http.MethodGet, "/v2/match?"+query.Encode(), "Bearer "+session, nil, &list)
	for _, m := range list.Matches {
		if m.ID == matchID {
			return m.Size, true, err
		}
	}
	return 0, false, err
}

func (a *api) basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(a.serverKey+":"))
}

// do asks, and reads the answer into out. The error is a statusError, that of ctx, or the connection's.
func (a *api) do(ctx context.Context, method, path, authorization string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, a.url+path, body)
	if err != nil {
		return err
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	answer, err := a.client.Do(r)
	if err != nil {
		return plain(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read as far as it matters
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if answer.StatusCode != http.StatusOK {
		return &statusError{answer.StatusCode}
	}
	if err == nil && out != nil {
		err = json.Unmarshal(b, out)
	}
	return err
}

// plain takes the URL, which holds a match id or more, out of an error.
func plain(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// expiry returns when a token of Nakama's says that it ends. The token is not verified: Nakama has
// given it, or will judge it.
func expiry(raw string) time.Time {
	parts := strings.Split(raw, ".")
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if len(parts) == 3 {
		if b, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(b, &claims) == nil {
			return time.Unix(claims.Expires, 0)
		}
	}
	return time.Time{}
}
