package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/session"
)

// Parts of the match.
const (
	playTime   = 3 * time.Second // before the ban
	settleTime = 1500 * time.Millisecond
	wholeTime  = 10 * time.Second // until a server has all that was published
)

// match plays, bans mallory, and tries what must not work.
func (f *fleet) match(ctx context.Context) (*report, error) {
	r := &report{bound: f.bound}
	if err := f.wholes(ctx); err != nil {
		return nil, err
	}
	suspects, err := f.join(ctx)
	if err != nil {
		return nil, err
	}
	f.table(ctx, "everybody plays", playTime)

	// The ban: one signed record, published once.
	r.banned = time.Now()
	if _, err := f.central.Append(revocation.Record{Kind: revocation.KindBan, Issuer: issuer, Value: mallory, Note: "example"}); err != nil {
		return nil, err
	}
	f.table(ctx, "mallory is banned", settleTime)
	for i, p := range f.servers {
		r.delay(p.name, p.word().Suspect.Sub(r.banned))
		r.put(p.name, <-suspects[i])
	}
	f.comeBack(ctx, r)
	if err := f.useTwice(ctx, r); err != nil {
		return nil, err
	}

	// Without the broker everybody plays on.
	f.broker.Close()
	f.table(ctx, "the NATS server is away", playTime)
	if f.broker, err = f.startBroker(f.port); err != nil {
		return nil, err
	}
	f.table(ctx, "the NATS server is back", settleTime)
	f.lift(ctx, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	r.honest(f.count*f.players, f.ended)
	return r, ctx.Err()
}

// wholes waits until each server admits players: it does once it has all that was published.
func (f *fleet) wholes(ctx context.Context) error {
	deadline := time.Now().Add(wholeTime)
	for _, p := range f.servers {
		for p.word().Stale {
			if time.Now().After(deadline) {
				return fmt.Errorf("%s has not had what the operator has published within %v", p.name, wholeTime)
			}
			if !pause(ctx, wordTime) {
				return ctx.Err()
			}
		}
	}
	return nil
}

// join lets everybody in. The results say how mallory's sessions end, one for each server.
func (f *fleet) join(ctx context.Context) (suspects []<-chan error, err error) {
	var wg sync.WaitGroup
	failed := make(chan error, f.count*f.players)
	for _, p := range f.servers {
		for i := range f.players {
			wg.Go(func() {
				c, err := f.login.dial(ctx, p, fmt.Sprintf("%s-player-%d", p.name, i), nil)
				if err != nil {
					failed <- err
					return
				}
				f.wg.Go(func() {
					if err := input(ctx, c, inputRate); err != nil {
						f.mu.Lock()
						defer f.mu.Unlock()
						f.ended = append(f.ended, err)
					}
				})
			})
		}
	}
	for _, p := range f.servers {
		c, err := f.login.dial(ctx, p, mallory, nil)
		if err != nil {
			return nil, err
		}
		end := make(chan error, 1)
		f.wg.Go(func() { end <- input(ctx, c, suspectRate) })
		suspects = append(suspects, end)
	}
	wg.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return suspects, nil
	}
}

// comeBack tries every server with a fresh token of mallory's.
func (f *fleet) comeBack(ctx context.Context, r *report) {
	for _, p := range f.servers {
		c, err := f.login.dial(ctx, p, mallory, nil)
		if err == nil {
			c.Close() //nolint:errcheck // it was not to be
		}
		r.refused("mallory with a fresh token", p.name, err, session.ReasonRevoked)
	}
}

// useTwice shows a token on one server that has opened a session on another.
func (f *fleet) useTwice(ctx context.Context, r *report) error {
	identity, err := f.login.token("traveller")
	if err != nil {
		return err
	}
	c, err := f.login.dial(ctx, f.servers[0], "traveller", identity)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // the player leaves
	pause(ctx, f.bound)
	for _, p := range f.servers[1:] {
		stolen, err := f.login.dial(ctx, p, "traveller", identity)
		if err == nil {
			stolen.Close() //nolint:errcheck // it was not to be
		}
		r.refused("a token used on "+f.servers[0].name, p.name, err, session.ReasonUsed)
	}
	return nil
}

// lift ends the ban, and lets mallory in.
func (f *fleet) lift(ctx context.Context, r *report) {
	began := time.Now()
	if _, err := f.central.Append(revocation.Record{Kind: revocation.KindLift, Issuer: issuer, Value: mallory}); err != nil {
		r.failf("the ban could not be lifted: %v", err)
		return
	}
	for _, p := range f.servers {
		c, err := f.login.dial(ctx, p, mallory, nil)
		for refusal(err) == session.ReasonRevoked && time.Since(began) < wholeTime && pause(ctx, wordTime) {
			c, err = f.login.dial(ctx, p, mallory, nil)
		}
		if err == nil {
			c.Close() //nolint:errcheck // seen
		}
		r.lifted(p.name, err)
	}
}

// pause waits and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
