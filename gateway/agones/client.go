package agones

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Errors that callers can match.
var (
	// ErrConfig is matched by every error about a configuration. The text names the field.
	ErrConfig = errors.New("agones: bad configuration")
	// ErrUnanswered means that the SDK server was not reached, or has not answered in time: it may not
	// have started yet.
	ErrUnanswered = errors.New("agones: the SDK server does not answer")
	// ErrAnswer means that the SDK server's answer could not be read.
	ErrAnswer = errors.New("agones: the SDK server's answer is malformed")
)

// StatusError is a refusal by the SDK server.
type StatusError struct {
	Status  int    // of HTTP
	Code    int    // of gRPC; 0 if there is none
	Message string // at most 200 bytes
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("agones: the SDK server answers %d: %s", e.Status, e.Message)
}

// Client calls an SDK server. Its methods are safe for concurrent use. Each call takes DefaultTimeout at
// most. Errors match ErrUnanswered, or ErrAnswer, or are a *StatusError.
//
// Success of a call that changes something means that the change is queued: look at the GameServer.
type Client struct {
	base string // constant
	http *http.Client
}

// Address returns the address of the pod's SDK server, as Agones names it in the environment.
func Address() string {
	port := os.Getenv("AGONES_SDK_HTTP_PORT")
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		port = DefaultPort
	}
	return "http://127.0.0.1:" + port
}

// NewClient returns a client of the SDK server at an address, such as that of Address: a URL of scheme
// http with a host and nothing behind it. The error matches ErrConfig.
func NewClient(address string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("%w: the SDK server's address must be like http://127.0.0.1:%s", ErrConfig, DefaultPort)
	}
	return &Client{base: "http://" + u.Host, http: &http.Client{
		// A proxy of the environment is for the world, and the SDK server is in the pod.
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: DefaultTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close closes connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ready says that the server can take players. From Allocated or Reserved it leads back to Ready.
func (c *Client) Ready(ctx context.Context) error { return c.post(ctx, "/ready", empty{}) }

// Health says that the server is well. Without it the GameServer becomes Unhealthy.
func (c *Client) Health(ctx context.Context) error { return c.post(ctx, "/health", empty{}) }

// Allocate marks the server as allocated by itself.
func (c *Client) Allocate(ctx context.Context) error { return c.post(ctx, "/allocate", empty{}) }

// Shutdown asks Agones to end the pod.
func (c *Client) Shutdown(ctx context.Context) error { return c.post(ctx, "/shutdown", empty{}) }

// Reserve keeps the server from being allocated by others for d, in whole seconds, after which it is
// Ready again; 0 is for good. A negative d is an error that matches ErrConfig.
func (c *Client) Reserve(ctx context.Context, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%w: Reserve for less than nothing", ErrConfig)
	}
	return c.post(ctx, "/reserve", struct {
		Seconds number `json:"seconds"`
	}{number((d + time.Second - 1) / time.Second)})
}

// SetLabel sets a label of the GameServer, and SetAnnotation an annotation; Agones puts "agones.dev/sdk-"
// before the key.
func (c *Client) SetLabel(ctx context.Context, key, value string) error {
	return c.do(ctx, http.MethodPut, "/metadata/label", keyValue{key, value}, nil)
}

// SetAnnotation is as SetLabel.
func (c *Client) SetAnnotation(ctx context.Context, key, value string) error {
	return c.do(ctx, http.MethodPut, "/metadata/annotation", keyValue{key, value}, nil)
}

// GameServer returns the GameServer as the SDK server knows it.
func (c *Client) GameServer(ctx context.Context) (*GameServer, error) {
	var raw json.RawMessage
	asked := time.Now()
	if err := c.do(ctx, http.MethodGet, "/gameserver", nil, &raw); err != nil {
		return nil, err
	}
	g, err := parseGameServer(raw)
	if err == nil {
		g.at = asked
	}
	return g, err
}

type empty struct{}

type keyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// number is an int64 as JSON of protocol buffers has it: a string, and of those who write it by hand also
// a number.
type number int64

// MarshalJSON writes a string.
func (n number) MarshalJSON() ([]byte, error) { return json.Marshal(strconv.FormatInt(int64(n), 10)) }

// UnmarshalJSON reads a string or a number.
func (n *number) UnmarshalJSON(b []byte) error {
	text := string(b)
	if text == "null" {
		return nil
	}
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	v, err := strconv.ParseInt(text, 10, 64)
	*n = number(v)
	return err
}

func (c *Client) post(ctx context.Context, path string, body any) error {
	return c.do(ctx, http.MethodPost, path, body, nil)
}

// do makes a call, and reads the answer into out unless that is nil.
func (c *Client) do(ctx context.Context, method, path string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	answer, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnanswered, err)
	case answer.StatusCode/100 != 2:
		return statusError(answer.StatusCode, b)
	case len(b) > maxAnswer:
		return fmt.Errorf("%w: longer than %d bytes", ErrAnswer, maxAnswer)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return nil
}

// send makes a call, and returns the answer with its body unread.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(q)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	return answer, nil
}

// statusError reads an answer that refuses.
func statusError(status int, body []byte) *StatusError {
	var said struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || said.Message == "" && said.Error == "" {
		said.Message = http.StatusText(status)
	}
	if said.Message == "" {
		said.Message = said.Error
	}
	return &StatusError{status, said.Code, strings.ToValidUTF8(said.Message[:min(len(said.Message), maxMessage)], "?")}
}
