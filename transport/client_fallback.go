package transport

import (
	"context"
	"time"
)

// fallback is when a session whose path is lost asks for a carrier, and the one that has been made.
type fallback struct {
	vain   int       // attempts by UDP that were given up since the path was lost
	asking bool      // ClientConfig.Fallback has been called
	ready  *carrier  // no connection has taken it yet
	from   time.Time // it is not asked for one before
	failed int       // how often that was in vain
	told   error     // what the last such call has returned
}

// discard gives up what is ready.
func (f *fallback) discard() {
	f.ready.end()
	f.ready = nil
}

// again has the next call wait, after one that was in vain: twice as long each time.
func (f *fallback) again(now time.Time) {
	f.from = now.Add(attemptTime << min(f.failed, maxDoublings-1))
	f.failed++
}

// wants reports whether a carrier is to be asked for, and when to look again.
func (f *fallback) wants(now, due time.Time) (asks bool, again time.Time) {
	switch {
	case f.asking, f.ready != nil:
		return false, due
	case now.Before(f.from):
		return false, earlier(due, f.from)
	}
	return true, due
}

// take returns what is ready for a server, nil if nothing is.
func (f *fallback) take(server string) *carrier {
	k := f.ready
	if k == nil || k.server != server {
		f.discard()
		return nil
	}
	f.ready = nil
	return k
}

// displaced returns when an attempt makes room for one by a carrier, which is ready: UDP goes first, and
// has addressPause to be heard on it. It reports false if that is not so.
func (f *fallback) displaced(next *clientConn) (at time.Time, ok bool) {
	ok = f.ready != nil && next.carrier == nil && next.machine == nil && !next.answered
	return next.heard.Add(addressPause), ok
}

// inVain notes that an attempt by UDP has been given up if nothing has come on it until it was stale.
func (f *fallback) inVain(now time.Time, next *clientConn, stale time.Time) {
	if next.carrier == nil && !next.resuming.redirect && !now.Before(stale) {
		f.vain++
	}
}

// carry returns what the next attempt goes by, nil for UDP. It has ClientConfig.Fallback asked where
// that is to be tried, and returns when to look again.
func (s *clientState) carry(now, due time.Time, needed bool, w *work) (*carrier, time.Time) {
	if s.config.Fallback == nil || !needed && !s.redirect.open(now) {
		s.fallback.discard()
		return nil, due
	}
	server := s.carriedTo(now, needed)
	if server == "" {
		return nil, due
	}
	if k := s.fallback.take(server); k != nil {
		return k, due
	}
	asks, due := s.fallback.wants(now, due)
	if asks {
		s.fallback.asking, w.carrier = true, server
	}
	return nil, due
}

// carriedTo returns the server to which an attempt may go by a carrier now, an empty string for none.
// UDP has been tried, or has not been in use. The server that this one has named goes first; then the
// one on which the session lives and the one that was dialled, in turn.
func (s *clientState) carriedTo(now time.Time, needed bool) string {
	r, by := &s.redirect, s.conns.current.carrier
	switch {
	case r.open(now) && !now.Before(r.from) && (by != nil || r.failed >= vainAttempts):
		return r.to
	case !needed || now.Before(s.resumption.retryAt):
		return ""
	case by != nil && s.fallback.failed%2 == 0:
		return by.server
	case by != nil || s.fallback.vain >= vainAttempts:
		return s.socket.server
	}
	return ""
}

// carrierGone heeds the end of a carrier. What comes after is as after close_notify of the server's:
// the session goes on by ticket.
func (s *clientState) carrierGone(now time.Time, k *carrier) {
	switch current, next := s.conns.current, s.conns.next; {
	case s.fallback.ready == k:
		s.fallback.discard()
		s.fallback.again(now)
	case next != nil && next.carrier == k:
		s.abandon(now)
		s.resumption.retryAt = now.Add(attemptPause)
	case current.carrier == k && current.machine != nil && current.machine.Resumable():
		s.resumption.disconnected = true
	}
}

// carryResume asks for a carrier by which the session may be resumed.
func (c *Client) carryResume(server string) {
	ctx, cancel := context.WithTimeout(c.background.ctx, carrierTime)
	defer cancel()
	k, err := c.openCarrier(ctx, server)
	c.mu.Lock()
	defer c.mu.Unlock()
	now, f := c.now(), &c.state.fallback
	f.asking = false
	switch {
	case err != nil:
		f.told = err
		f.again(now)
	case c.progress.over() != nil:
		k.end()
		return
	case k.gone.Load(): // and carrierGone has not found it, or will not
		f.again(now)
	default:
		f.ready = k
	}
	if c.progress.over() == nil {
		c.tick(now)
	}
}
