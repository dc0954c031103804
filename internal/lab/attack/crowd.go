package attack

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// crowd is one account with many tokens.
func crowd() []scene {
	const seats = session.DefaultMaxPerSubject
	return []scene{
		{
			fmt.Sprintf("one account shows %d identity tokens", crowdTokens),
			fmt.Sprintf("%d sessions, and a seat for somebody else", seats), takeSeats,
		},
		{
			fmt.Sprintf("its %d sessions send %d inputs a second each", seats, crowdRate),
			fmt.Sprintf("%d a second of both together", seats*sessionRate()), playTogether,
		},
	}
}

// sessionRate returns how many datagrams a second a session may send.
func sessionRate() int {
	c, _ := policy.BehaviourConfig{}.WithDefaults() // the zero value is good
	return c.Datagrams
}

// takeSeats joins as often as one account can, while those that are in play: a silent session would give way.
func takeSeats(s *stage) error {
	var playing sync.WaitGroup
	done := make(chan struct{})
	defer playing.Wait()
	defer close(done)
	g := s.grant()
	in, full := 0, 0
	for range crowdTokens {
		identity, err := s.target.Mint(s.ctx, g)
		if err != nil {
			return err
		}
		p, err := s.enter(nil, honest, identity)
		closed, answered := errors.AsType[*transport.CloseError](err)
		switch {
		case err == nil:
			in++
			playing.Go(func() { p.playUntil(done) })
		case answered && closed.Reason == session.ReasonFull:
			full++
		default:
			return err
		}
	}
	s.saw(in == session.DefaultMaxPerSubject && in+full == crowdTokens, "%d let in, %d told %v", in, full, session.ReasonFull)
	if _, err := s.join(); err != nil {
		s.saw(false, "somebody else: %v", err)
	}
	s.dropped("full", uint64(crowdTokens-session.DefaultMaxPerSubject))
	return nil
}

// playUntil sends ten inputs a second until done is closed.
func (p *raw) playUntil(done chan struct{}) {
	ticker := time.NewTicker(time.Second / 10)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.play(1)
		case <-done:
			return
		}
	}
}

// playTogether has all sessions of an account send as much as each alone may.
func playTogether(s *stage) error {
	g := s.grant()
	var all []*raw
	for range session.DefaultMaxPerSubject {
		p, _, err := s.joinAs(g)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	var playing sync.WaitGroup
	var sent atomic.Int64
	began := time.Now()
	for _, p := range all {
		playing.Go(func() {
			n, _ := p.pace(crowdRate, crowdTime)
			sent.Add(int64(n))
		})
	}
	playing.Wait()
	allowed := time.Since(began).Seconds() * float64(sessionRate()*len(all))
	s.dropped("rate", max(uint64(max(float64(sent.Load())-allowed, 0)/crowdLeeway), 1))
	for _, p := range all {
		if !p.lives() {
			s.saw(false, "a session is out: %v", p.reason())
		}
	}
	return nil
}
