package token

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A fetchError is an ErrUnavailable with a fixed text, and wraps the cause.
type fetchError struct {
	what  string
	cause error
}

func (e *fetchError) Error() string   { return ErrUnavailable.Error() + ": " + e.what }
func (e *fetchError) Unwrap() []error { return []error{ErrUnavailable, e.cause} }

// newTransport returns a transport that leaves nothing behind: there is one request in an hour.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: DefaultFetchTimeout, MaxResponseHeaderBytes: maxHeaderLen,
	}
}

// fetch asks for the set. life is how long the answer wants to be cached, within the bounds.
func (r *RemoteKeys) fetch() (keys *StaticKeys, life time.Duration, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.config.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.config.URL, nil)
	if err != nil {
		return nil, 0, &fetchError{"no request could be made", err}
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json") // RFC 7517 8.5
	client := http.Client{Transport: r.config.Transport, CheckRedirect: stayOnHost}
	answer, err := client.Do(req)
	if err != nil {
		return nil, 0, &fetchError{"no answer", err}
	}
	defer answer.Body.Close() //nolint:errcheck // it is read, or of no use
	if answer.StatusCode != http.StatusOK {
		return nil, 0, &fetchError{"status " + strconv.Itoa(answer.StatusCode), ErrUnavailable}
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxKeySetLen+1))
	if err != nil {
		return nil, 0, &fetchError{"the answer breaks off", err}
	}
	if keys, err = parsePublished(body, r.config.Algorithm); err != nil {
		return nil, 0, &fetchError{"the answer is of no use", err}
	}
	return keys, r.config.life(answer.Header), nil
}

// stayOnHost follows a redirect only to where the operator could have pointed us: the same scheme
// and host.
func stayOnHost(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > maxRedirects || req.URL.Scheme != first.Scheme || req.URL.Host != first.Host || req.URL.User != nil {
		return errors.New("token: redirected elsewhere")
	}
	return nil
}

// parsePublished parses the body of an answer: a JWK set with at least one key for alg.
func parsePublished(body []byte, alg Algorithm) (*StaticKeys, error) {
	if len(body) > maxKeySetLen {
		return nil, withDetail(ErrKey, "the set is larger than 64 KiB")
	}
	keys, err := parseJWKSet(body, alg)
	if err != nil {
		return nil, err
	}
	return NewStaticKeys(byName(keys)...)
}

// life returns how long an answer may be cached (RFC 9111 5.2.2), within the bounds.
func (c *RemoteConfig) life(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return c.MinRefresh
		case "max-age":
			// "if the value is larger than what can be represented": the most that is used anyway,
			// RFC 9111 1.2.2
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err == nil {
				return min(max(time.Duration(seconds)*time.Second, c.MinRefresh), c.MaxRefresh)
			}
		}
	}
	return c.MaxRefresh
}
