package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// carrier takes one connection's datagrams where the network blocks UDP. ClientConfig.Fallback
// has made it. Its methods are safe for concurrent use, and those of nil do nothing.
type carrier struct {
	conn   udp.Conn       // constant
	remote netip.AddrPort // of the server; constant
	server string         // for which it was asked; constant
	gone   atomic.Bool    // it brings nothing any more
	ended  chan struct{}  // closed by end
	once   sync.Once
}

// end has the carrier closed soon.
func (k *carrier) end() {
	if k != nil {
		k.once.Do(func() { close(k.ended) })
	}
}

// write sends a datagram and reports whether the carrier took it.
func (k *carrier) write(s *clientSocket, b []byte) bool {
	s.sent.Add(uint64(len(b)))
	return k.conn.Write(b, k.remote) == nil
}

// errCarrier is why what Fallback has returned is of no use.
var errCarrier = errors.New("transport: ClientConfig.Fallback must return a carrier and an address with an IP address and a port")

// openCarrier asks ClientConfig.Fallback for a carrier to a server, and has it read.
func (c *Client) openCarrier(ctx context.Context, server string) (*carrier, error) {
	conn, addr, err := c.config.Fallback(ctx, server)
	if err != nil {
		return nil, fmt.Errorf("transport: the fallback of UDP: %w", err)
	}
	k := &carrier{server: server, ended: make(chan struct{})}
	if addr != nil {
		k.remote = udp.AddrPort(addr)
	}
	if conn == nil || !k.remote.IsValid() {
		if conn != nil {
			err = conn.Close()
		}
		return nil, errors.Join(errCarrier, err)
	}
	k.conn = udp.NewConn(conn)
	c.background.Go(func() { c.readCarrier(k) })
	c.background.Go(func() {
		<-k.ended
		_ = conn.Close() // and readCarrier returns
	})
	return k, nil
}

// readCarrier handles what a carrier brings, until that fails.
func (c *Client) readCarrier(k *carrier) {
	for b := make([]byte, udp.BufferLen); ; {
		n, from, err := k.conn.Read(b)
		if err != nil {
			break
		}
		c.carried(k, from, b[:n])
	}
	k.gone.Store(true)
	k.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); c.progress.over() == nil {
		c.state.carrierGone(now, k)
		if !c.socket.polled {
			c.tick(now)
		}
	}
}

// carried handles a datagram that a carrier has brought. What is due besides is left to Poll, if that
// has been called.
func (c *Client) carried(k *carrier, from netip.AddrPort, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.progress.finished(now) {
		return
	}
	c.state.reports.carried++
	c.state.arrive(now, k, from, b)
	if !c.socket.polled {
		c.tick(now)
	}
}

// endCarriers ends all carriers: the session is over, and its last word said.
func (c *Client) endCarriers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range [...]*clientConn{c.state.conns.current, c.state.conns.next, c.state.conns.former} {
		if conn != nil {
			conn.carrier.end()
		}
	}
	c.state.fallback.discard()
}

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
