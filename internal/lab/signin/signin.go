package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// A Source returns an identity token that has not been used yet. It is safe for concurrent use.
type Source func(ctx context.Context) ([]byte, error)

const (
	requestTime = 10 * time.Second // of one request
	maxAnswer   = 64 << 10         // bytes; three tokens of Amazon Cognito take a tenth of it
)

// client follows no redirects: a password goes where the user said.
var client = &http.Client{
	Timeout:       requestTime,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// checkURL refuses to send a password, or to fetch a token, in the clear.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return errors.New("signin: not a URL")
	}
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && here) {
		return errors.New("signin: only https, or http to this host")
	}
	return nil
}

// do sends req and returns the status and the body.
func do(req *http.Request) (int, []byte, error) {
	answer, err := client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("signin: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is read
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("signin: %w", err)
	}
	if len(body) > maxAnswer {
		return 0, nil, errors.New("signin: the answer is too long")
	}
	return answer.StatusCode, body, nil
}
