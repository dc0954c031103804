package signals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sallyport/sallyport/token"
)

// PollConfig says where a transmitter keeps its SETs until they are asked for (RFC 8936). Endpoint is
// required.
type PollConfig struct {
	Endpoint      string        // https, or http to this host
	Authorization Secret        // header of each request; the zero Secret for none
	Client        *http.Client  // nil for one of its own
	Events        int           // SETs in an answer at most. Zero means DefaultEvents; negative is an error
	Interval      time.Duration // between polls of which nothing comes. Zero means DefaultInterval; negative is an error
}

func (c PollConfig) withDefaults() (PollConfig, error) {
	if c.Client == nil {
		c.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if c.Events == 0 {
		c.Events = DefaultEvents
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname())):
		return c, badConfig("Endpoint must be an https URL, or http to this host")
	case c.Events < 0:
		return c, badConfig("Events must not be negative")
	case c.Interval < 0:
		return c, badConfig("Interval must not be negative")
	}
	return c, nil
}

func local(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// pollRequest and pollAnswer are RFC 8936 2.2 and 2.3.
type pollRequest struct {
	MaxEvents         int              `json:"maxEvents"`
	ReturnImmediately bool             `json:"returnImmediately"`
	Ack               []string         `json:"ack,omitempty"`
	SetErrs           map[string]fault `json:"setErrs,omitempty"`
}

type pollAnswer struct {
	Sets          map[string]string `json:"sets"`
	MoreAvailable bool              `json:"moreAvailable"`
}

// Poll asks a transmitter for SETs until ctx is done, and returns nil then, or an error that matches
// ErrConfig. A SET is acknowledged with the next request once what it says is on disk. What fails is
// tried again after 1 s, 2 s and so on up to a minute.
func (r *Receiver) Poll(ctx context.Context, c PollConfig) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	next := pollRequest{MaxEvents: c.Events}
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		answer, err := c.ask(ctx, next)
		wait := c.Interval - time.Since(began)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			r.report.failed("the transmitter cannot be polled", err)
			wait = min(time.Second<<min(failures, 6), maxBackoff)
			failures++
		default:
			failures = 0
			next = r.takeAll(ctx, answer.Sets)
			if next.Ack != nil || next.SetErrs != nil && answer.MoreAvailable { // else more would bring the same again
				wait = 0
			}
			next.MaxEvents = c.Events
		}
		if wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}
	return nil
}

// takeAll takes the SETs of an answer, and returns what is to be said of them.
func (r *Receiver) takeAll(ctx context.Context, sets map[string]string) (next pollRequest) {
	for name, raw := range sets {
		why := r.take(ctx, time.Now(), []byte(raw), func(_ *transmitter, set *token.Event) *refusal {
			if set.ID != name {
				return invalid("the SET's jti is not the name under which it was sent")
			}
			return nil
		})
		switch {
		case why == nil:
			next.Ack = append(next.Ack, name)
		case why.err != "":
			if next.SetErrs == nil {
				next.SetErrs = map[string]fault{}
			}
			next.SetErrs[name] = fault{why.err, why.text}
		}
	}
	return next
}

// ask sends one request.
func (c PollConfig) ask(ctx context.Context, p pollRequest) (a pollAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	body, err := json.Marshal(p)
	if err != nil {
		return a, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", "application/json")
	if s := c.Authorization.reveal(); s != "" {
		q.Header.Set("Authorization", s)
	}
	response, err := c.Client.Do(q)
	if err != nil {
		return a, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return a, err
	case response.StatusCode != http.StatusOK:
		return a, fmt.Errorf("the transmitter answers %s", response.Status)
	case len(b) > maxAnswer:
		return a, errors.New("the answer is longer than 4 MiB: set Events lower")
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, errors.New("the answer is not JSON of RFC 8936 2.3")
	}
	return a, nil
}
