package revocation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Run publishes heartbeats and what Enqueue takes, and announces what is in force, until ctx is
// done. It returns ctx's error, or ErrClosed, ErrSuperseded or ErrConfig. Call it once.
func (p *Publisher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ask, err := p.config.Carrier.Subscribe(TopicAsk, p.asked)
	if err != nil {
		return badConfig("Carrier does not subscribe: %v", err)
	}
	defer ask()
	live, err := p.config.Carrier.Subscribe(TopicLive, func(m []byte) {
		if p.superseded(m) {
			cancel(ErrSuperseded)
		}
	})
	if err != nil {
		return badConfig("Carrier does not subscribe: %v", err)
	}
	defer live()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { p.carry(ctx) })
	wg.Go(func() { p.keepHouse(ctx) })
	if err := p.beat(ctx); err != nil {
		cancel(err)
	}
	return context.Cause(ctx)
}

// over says why the publisher has ended; nil while it lives.
func (p *Publisher) over() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// beat sends heads until ctx is done, or the publisher has ended, of which it returns the reason: each second,
// and soon after a subscriber has asked. It flushes the queue.
func (p *Publisher) beat(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
			if !pause(ctx, linger) {
				return nil
			}
			if err := p.flush(); err != nil && !errors.Is(err, ErrClosed) {
				p.config.Logger.Error("revocation: queued records wait", "publisher", p.config.Name, "error", err)
			}
		case <-timer.C:
			_ = p.flush() // again, if the last one failed
		}
		if err := p.over(); err != nil {
			return err // there is no head to send, and none is due ever again
		}
		now := time.Now()
		if due := p.due(now); due > 0 {
			timer.Reset(due)
			continue
		}
		for _, m := range p.repeats(now) {
			p.publish(m)
		}
		if m := p.head(now, false); m != nil {
			p.publish(m)
		}
		timer.Reset(p.due(now))
	}
}

// due returns how long it is to the next head.
func (p *Publisher) due(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.beats == 0 {
		return 0
	}
	wait := p.config.Heartbeat
	if len(p.nonces) > 0 {
		wait = min(wait, minBeat)
	}
	return wait - now.Sub(p.beaten)
}

// head returns the next head, or nil if there is to be none.
func (p *Publisher) head(now time.Time, closed bool) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return nil
	}
	p.beats++
	p.beaten = now
	n := min(len(p.nonces), maxNonces)
	h := head{
		publisher: p.id, epoch: p.epoch, beat: p.beats, time: now.UnixMicro(), elapsed: max(0, now.Sub(p.opened).Microseconds()),
		last: p.history.last, after: p.history.after, closed: closed, branches: p.branches, nonces: p.nonces[:n:n],
	}
	m, err := h.appendTo(nil, p.config.Key)
	p.nonces = slices.Clone(p.nonces[n:])
	if err != nil {
		p.config.Logger.Error("revocation: the signing key does not sign: subscribers will call this publisher silent", "publisher", p.config.Name, "error", err)
		return nil
	}
	return m
}

// repeats returns the newest segments that are to be sent again.
func (p *Publisher) repeats(now time.Time) (messages [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes := 0
	for i := len(p.history.kept) - 1; i >= 0; i-- {
		k := &p.history.kept[i]
		if now.Sub(k.made) >= settle || bytes+len(k.bytes) > maxRepeat {
			break
		}
		if k.repeats > 0 && now.Sub(k.made) >= minBeat {
			k.repeats--
			bytes += len(k.bytes)
			messages = append(messages, k.bytes)
		}
	}
	slices.Reverse(messages)
	return messages
}

// asked takes a challenge.
func (p *Publisher) asked(m []byte) {
	n, ok := parseAsk(m)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.nonces) < maxAsked {
		p.nonces = append(p.nonces, n)
		signal(p.wake)
	}
}

// superseded reports whether m is a head of this publisher's key and a later epoch. From then on
// nothing is published.
func (p *Publisher) superseded(m []byte) bool {
	h, ok := parseHead(m)
	if !ok || h.publisher != p.id || h.epoch <= p.epoch || !verify(m, p.config.Key.Public()) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.ended = ErrSuperseded
		p.config.Logger.Error("revocation: another process publishes with this key and a later epoch, so this one has stopped: give each publisher a key and a directory of its own, and set the clock",
			"publisher", p.config.Name, "id", p.id.String())
	}
	return true
}

// pause waits and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
