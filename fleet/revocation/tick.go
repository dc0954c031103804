package revocation

import (
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// tick does what time brings, and is called several times a second.
func (c *core) tick(now time.Time) {
	c.release(now)
	if now.Sub(c.ticked) > hangTime {
		c.awake = now
	}
	c.ticked = now
	end := false
	for _, f := range c.order {
		f.refill(now)
		end = c.judge(now, f) || end
	}
	if end && c.config.Mode == EndSessions && !c.ended {
		c.ended = true
		go c.config.End()
	}
	if !end {
		c.ended = false
	}
	if last, ok := c.said["forget"]; !ok || now.Sub(last) >= quiet {
		c.said["forget"] = now
		c.rules.forget(now)
	}
}

// judge says so when a publisher has become stale, or is no longer. It reports whether one is that is
// needed. A publisher has time from when it was first trusted, or needed, and after this process has stood
// still, which is no fault of its own: what it has said meanwhile has yet to be heard.
func (c *core) judge(now time.Time, f *follower) bool {
	began := c.awake
	if f.since.After(began) {
		began = f.since
	}
	stale := f.stale(now, c.config.Stale) && now.Sub(began) > c.config.Stale
	if stale != f.alarmed {
		f.alarmed = stale
		mode := c.config.Mode.String()
		if f.trusted.Optional {
			mode = "no consequence: the publisher is optional"
		}
		attrs := []slog.Attr{slog.String("publisher", f.trusted.Name), slog.String("mode", mode), slog.Uint64("applied", f.have.whole()-1), slog.Uint64("last", f.head.last)}
		level, message, detail := slog.LevelInfo, "revocation: everything that a publisher has revoked is in force again", "revocations current again: "
		if stale {
			level, message, detail = slog.LevelError, "revocation: nothing current from a publisher: see that it runs, that the broker can be reached, and that its key is the trusted one", "revocations stale, "+mode+": "
		}
		if f.trusted.Optional {
			level = slog.LevelInfo
		}
		c.config.Logger.LogAttrs(noContext, level, message, attrs...)
		c.config.Audit.Record(audit.Event{Time: now, Decision: audit.Alarm, Detail: detail + f.trusted.Name})
	}
	return stale && !f.trusted.Optional
}

// ask returns a challenge if one is due: a publisher has not answered in its epoch, or not for long.
func (c *core) ask(now time.Time) []byte {
	need := false
	for _, f := range c.order {
		heard := f.head.epoch != 0
		need = need || heard && (!f.anchor.ok || now.Sub(f.anchor.sent) >= askAgain) || !heard && !f.trusted.Optional
	}
	if !need {
		c.asks = backoff{}
		return nil
	}
	if now.Before(c.askNext) {
		return nil
	}
	c.askNext = now.Add(c.asks.next())
	var n nonce
	c.random(n[:])
	if len(c.asking) >= maxAsking {
		c.asking = append(c.asking[:0], c.asking[1:]...)
	}
	c.asking = append(c.asking, asking{n, now})
	return appendAsk(nil, n)
}

// loading is a request for the stored state of a publisher.
type loading struct {
	publisher PublisherID
	from      uint64
}

// loads returns what should be loaded now. Each is to be answered by loaded.
func (c *core) loads(now time.Time) (out []loading) {
	for _, f := range c.order {
		if !f.loaded && !f.anchor.ok && now.Sub(c.start) < firstAnswer {
			continue // so that its times can be moved to ours
		}
		if from, due := f.load(now); due {
			f.loading, f.loadWhole = true, f.have.whole()
			out = append(out, loading{f.id, from})
		}
	}
	return out
}

// loaded says that a load has ended, and whether without an error.
func (c *core) loaded(now time.Time, id PublisherID, err error) {
	f := c.followers[id]
	f.loading = false
	if err == nil {
		f.loaded = true
	}
	f.loadAll = f.have.whole() == f.loadWhole && err == nil
	if f.have.whole() > f.loadWhole {
		f.retry = backoff{}
	}
	wait := f.retry.next()
	f.loadNext = now.Add(wait)
	c.release(now)
	if err != nil && f.retry.failed > 3 {
		c.say(now, slog.LevelWarn, "load", "revocation: the carrier does not give what is stored; it is asked again", slog.Any("error", err), slog.Duration("in", wait))
	}
	c.settle(now, f)
}
