package soak

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// player is one bot, which may stay several times. It belongs to its goroutine.
type player struct {
	run     *run
	number  int
	sockets uint64 // opened so far
	rand    *rand.Rand
}

func newPlayer(r *run, number int) *player {
	return &player{run: r, number: number, rand: rand.New(rand.NewPCG(r.config.Seed, uint64(number)))}
}

// play joins, says so, and stays again and again until play is over.
func (p *player) play(answered func()) {
	s := p.join()
	if s != nil {
		p.run.connected.Add(1)
	}
	answered()
	for s != nil {
		again := s.play(p.rand)
		s.leave()
		if !again {
			return
		}
		if s = p.join(); s != nil {
			p.run.rejoined.Add(1)
		}
	}
}

// join dials; nil means that it failed and that the reason is noted.
func (p *player) join() *stay {
	r := p.run
	select {
	case r.dialing <- struct{}{}:
	case <-r.ctx.Done():
		return nil
	}
	defer func() { <-r.dialing }()
	s, err := p.dial()
	if err != nil {
		if r.ctx.Err() == nil {
			r.rejected.Count(reason(err))
		}
		return nil
	}
	return s
}

// dial opens a socket and a session on it.
func (p *player) dial() (*stay, error) {
	r := p.run
	ctx, cancel := context.WithTimeout(r.ctx, dialTime)
	defer cancel()
	s := newStay(p)
	var err error
	if s.conn, err = s.listen(); err != nil {
		return nil, err
	}
	config := transport.ClientConfig{
		RootCAs: r.match.RootCAs, Conn: s.conn, Fallback: r.match.Fallback, OnEvent: s.event, KeyLog: r.config.KeyLog,
		Session: session.ClientConfig{Bearer: r.config.Bearer, Lanes: r.config.lanes()},
		Token: func(ctx context.Context) ([]byte, error) {
			t, err := r.match.Token(ctx, p.number, r.config.TokenLife())
			s.tokenLen.Store(int64(len(t)))
			return t, err
		},
	}
	if r.match.Stated {
		config.Session.Scope = scope
		config.Session.Fingerprint = session.Fingerprint{Platform: platform, Build: build}
	}
	client, err := transport.Dial(ctx, r.match.Addr, config)
	if err != nil {
		s.conn.Close() //nolint:errcheck // err says more
		return nil, err
	}
	s.begin(client)
	return s, nil
}

// reason puts an error into the few words by which it is counted.
func reason(err error) string {
	var refused *transport.CloseError
	switch {
	case errors.As(err, &refused):
		return refused.Reason.String()
	case errors.Is(err, transport.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return "no answer"
	}
	return err.Error() // a handshake's says why
}

// pace ticks rate times a second, beginning anywhere within the first tick, so that players do not move in step.
func pace(done <-chan struct{}, rate int, rng *rand.Rand) *time.Ticker {
	every := time.Second / time.Duration(rate)
	select {
	case <-time.After(time.Duration(rng.Int64N(int64(every)))):
	case <-done:
	}
	return time.NewTicker(every)
}
