package transport

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
)

// search is how Dial finds, among the addresses of a server, one that answers: it begins
// a handshake with the first, and while nothing comes with the next, and so on; who is
// first to complete one is the server, and the other handshakes end (RFC 8305). Nobody
// but that server is shown the identity token.
type search struct {
	client  *Client
	config  handshake.Config // constant
	cookie  bool             // the server asks for one always: a handshake that hears nothing may begin anew
	results chan result

	// One of each address, in order, as far as they have been begun.
	attempts []*attempt
}

// attempt is the search at one address.
type attempt struct {
	line   *line // nil once it has failed
	cancel context.CancelFunc
	first  time.Time // when it began
	began  time.Time // when it last began anew
	anew   int       // how often since anything was heard
	err    error     // why it has failed
}

// result is the end of a handshake.
type result struct {
	line *line
	keys *handshake.Result
	err  error
}

// search finds the server, and starts the machine that start returns.
func (c *Client) search(ctx context.Context, config handshake.Config, cookie bool, start starter) error {
	c.mu.Lock()
	known := c.known
	c.mu.Unlock()
	l, result, err := c.find(ctx, known, config, cookie)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line, c.trying = l, nil
	return c.negotiated(l, result, start)
}

// find returns the line on which the handshake is complete, and its result.
func (c *Client) find(ctx context.Context, addrs []netip.AddrPort, config handshake.Config, cookie bool) (*line, *handshake.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &search{client: c, config: config, cookie: cookie, results: make(chan result)}
	defer s.end(cancel)
	s.begin(ctx, addrs[0])
	ticker := time.NewTicker(searchInterval)
	defer ticker.Stop()
	for {
		select {
		case r := <-s.results:
			a := s.of(r.line)
			if a != nil && r.err == nil {
				a.line = nil // and end leaves it alone
				return r.line, r.keys, nil
			}
			if a != nil {
				a.line, a.err = nil, r.err
			}
		case <-c.unsent: // the next address may do better
		case <-ticker.C:
		case <-c.ended:
			return nil, nil, c.over()
		case <-ctx.Done():
			if err := s.wrong(); err != nil {
				return nil, nil, err
			}
			if err := s.hinted(); err != nil {
				return nil, nil, err
			}
			return nil, nil, c.silence()
		}
		now := time.Now()
		s.renew(ctx, now)
		if n := len(s.attempts); n < len(addrs) && s.idle(now) {
			s.begin(ctx, addrs[n])
		} else if err := s.failed(now); n == len(addrs) && err != nil {
			return nil, nil, err
		}
	}
}

// begin looks at another address.
func (s *search) begin(ctx context.Context, addr netip.AddrPort) {
	a := &attempt{first: time.Now()}
	s.attempts = append(s.attempts, a)
	s.try(ctx, a, addr)
}

// try begins a handshake.
func (s *search) try(ctx context.Context, a *attempt, addr netip.AddrPort) {
	c := s.client
	l := c.newLine(addr)
	a.began = time.Now()
	l.heard = a.began
	if s.cookie {
		l.negotiating.ExpectCookie()
	}
	ctx, a.cancel = context.WithCancel(ctx)
	a.line = l
	c.mu.Lock()
	c.trying = append(c.trying, l)
	c.mu.Unlock()
	c.wg.Go(func() {
		keys, err := dtls.Engine.Client(ctx, l.negotiating, &s.config)
		select {
		case s.results <- result{l, keys, err}:
		case <-ctx.Done():
			if err == nil {
				keys.Secrets.Wipe()
			}
		}
		l.negotiating.Wait()
	})
}

// stop ends an attempt's handshake.
func (s *search) stop(a *attempt) {
	a.cancel()
	a.line.negotiating.Close() //nolint:errcheck // never fails
	s.client.forsake(a.line)
	a.line = nil
}

// end ends all of them.
func (s *search) end(cancel context.CancelFunc) {
	cancel()
	for _, a := range s.attempts {
		if a.line != nil {
			s.stop(a)
		}
	}
}

func (s *search) of(l *line) *attempt {
	for _, a := range s.attempts {
		if a.line == l {
			return a
		}
	}
	return nil
}

// renew begins anew where nothing has come for as long as the attempt is given.
func (s *search) renew(ctx context.Context, now time.Time) {
	for _, a := range s.attempts {
		l := a.line
		if !s.cookie || l == nil {
			continue
		}
		heard := s.client.lastHeard(l)
		if now.Before(heard.Add(a.patience(heard))) {
			continue
		}
		if a.anew++; heard.After(a.began) {
			a.anew = 0
		}
		s.stop(a)
		s.try(ctx, a, l.remote)
	}
}

// patience returns how long nothing may come before a handshake begins anew. A server that has
// answered and is silent then has forgotten the handshake, or was told of another one first. While
// nothing comes at all it is twice as long each time, since an answer may take longer than
// anybody thought, less a little: an engine repeats its ClientHello after as much, and the server
// may answer that one first.
func (a *attempt) patience(heard time.Time) time.Duration {
	if a.anew == 0 || heard.After(a.began) {
		return attemptTime
	}
	return attemptTime<<min(a.anew, maxDoublings) - searchInterval
}

// idle reports whether it is time to look at the next address: none of those before has
// said anything lately, and the last one has had addressPause for it unless nothing could
// be sent there.
func (s *search) idle(now time.Time) bool {
	for i, a := range s.attempts {
		if a.line == nil || a.line.unsent() {
			continue
		}
		patience := time.Duration(0)
		heard := s.client.lastHeard(a.line)
		switch {
		case heard.After(a.began):
			patience = attemptTime
		case i == len(s.attempts)-1:
			patience = addressPause
		}
		if now.Before(heard.Add(patience)) {
			return false
		}
	}
	return true
}

// failed is why none of the addresses can do: a handshake has failed, or nothing could be
// sent for sendPatience.
func (s *search) failed(now time.Time) error {
	for _, a := range s.attempts {
		if a.line != nil && (!a.line.unsent() || now.Before(a.first.Add(sendPatience))) {
			return nil
		}
	}
	if err := s.wrong(); err != nil {
		return err
	}
	return s.client.silence()
}

// wrong is what went wrong at the first address at which a handshake has failed.
func (s *search) wrong() error {
	for _, a := range s.attempts {
		if a.err != nil {
			return fmt.Errorf("%w: %w", ErrHandshake, a.err)
		}
	}
	return nil
}

// hinted is what an alert says of a handshake for which there was too little time.
func (s *search) hinted() error {
	for _, a := range s.attempts {
		if a.line == nil {
			continue
		}
		if err := a.line.negotiating.Failure(context.DeadlineExceeded); explained(err) {
			return fmt.Errorf("%w: %w", ErrHandshake, err)
		}
	}
	return nil
}

// forsake has nothing delivered to a line any more.
func (c *Client) forsake(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trying = slices.DeleteFunc(c.trying, func(t *line) bool { return t == l })
}

func (c *Client) lastHeard(l *line) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return l.heard
}
