package websocket

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Listener is a match server's end: ServeHTTP takes WebSockets, and the datagrams that they bring are
// read as from a net.PacketConn. Their address is the player's, with the port of the TCP connection. Its
// methods are safe for concurrent use.
type Listener struct {
	config Config  // constant
	places *places // constant: those of streams, and of what is about to be one
	in     chan *datagram
	done   chan struct{} // closed by Close
	wg     sync.WaitGroup
	counts counts

	mu sync.RWMutex
	// +checklocks:mu
	streams map[netip.AddrPort]*stream
	// +checklocks:mu
	closed bool
}

// counts are a Listener's, for everybody to read.
type counts struct{ accepted, browsers, refused, dropped, failed atomic.Uint64 }

// Stats counts since New, but for Open and OpenBrowsers.
type Stats struct {
	Open, OpenBrowsers int    // connections now, and of these the browsers'
	Accepted, Browsers uint64 // connections, and of these the browsers'
	Refused            uint64 // requests
	Dropped            uint64 // datagrams for which there was no room, or no allowance, either way
	RelaysFailed       uint64 // browsers' connections that ended because their relay's failed
}

// New makes a Listener. Close it when done, or give it to transport.Listen, which does so. The error matches ErrConfig.
func New(config Config) (*Listener, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	l := &Listener{
		config: config, in: make(chan *datagram, inbound), done: make(chan struct{}),
		streams: make(map[netip.AddrPort]*stream),
	}
	l.places = newPlaces(&l.config)
	l.wg.Go(l.watch)
	return l, nil
}

// Stats returns the counts since New.
func (l *Listener) Stats() Stats {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := &l.counts
	st := Stats{
		Open: len(l.streams), Accepted: n.accepted.Load(), Browsers: n.browsers.Load(), Refused: n.refused.Load(),
		Dropped: n.dropped.Load(), RelaysFailed: n.failed.Load(),
	}
	for _, s := range l.streams {
		st.Dropped += s.lost.Load()
		if s.relay != nil {
			st.OpenBrowsers++
		}
	}
	return st
}

// ReadFromUDPAddrPort waits for a datagram. After Close it returns net.ErrClosed.
func (l *Listener) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-l.in:
		n, from := copy(b, d.b[:d.n]), d.from
		datagrams.Put(d)
		return n, from, nil
	case <-l.done:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// ReadFrom is ReadFromUDPAddrPort; the address is a *net.UDPAddr.
func (l *Listener) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := l.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// errNoConnection is what a write to nobody returns, whom UDP would not know of either.
var errNoConnection = errors.New("websocket: nobody is connected from that address")

// WriteToUDPAddrPort sends a datagram to a connection, and never waits.
func (l *Listener) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if len(b) == 0 || len(b) > MaxDatagram {
		return 0, errNoDatagram
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.streams[to]
	if s == nil {
		return 0, errNoConnection
	}
	s.send(b)
	l.look(s, b[0])
	return len(b), nil
}

// look notes by the type of a record that the server sends, which is not encrypted, whether a stream
// carries a session. A refusal is data, too, and within a second an alert follows, or another handshake.
// When a session has gone on elsewhere the server says no more, which watch notices.
func (l *Listener) look(s *stream, typ byte) {
	l.places.mark(s.place, typ != recordData)
}

// WriteTo is WriteToUDPAddrPort to a *net.UDPAddr.
func (l *Listener) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, errNoConnection
	}
	a := addr.AddrPort()
	return l.WriteToUDPAddrPort(b, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
}

// Close closes all connections, and returns once all goroutines of the Listener have ended. Later
// requests are refused.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return net.ErrClosed
	}
	l.closed = true
	close(l.done)
	for _, s := range l.streams {
		s.close()
	}
	l.mu.Unlock()
	l.wg.Wait()
	return nil
}

// LocalAddr returns a placeholder: the address that players reach is the HTTP server's.
func (l *Listener) LocalAddr() net.Addr { return &net.UDPAddr{} }

// SetDeadline is not supported, nor is any other deadline: Close ends a read.
func (l *Listener) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline is as SetDeadline.
func (l *Listener) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline is as SetDeadline.
func (l *Listener) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// add lists a stream, for which take has found room. It reports false if the Listener is closed. Where
// a proxy's address has hidden that two connections differ, the second gets another port.
func (l *Listener) add(s *stream) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	for l.streams[s.peer] != nil {
		s.peer = netip.AddrPortFrom(s.peer.Addr(), s.peer.Port()+1)
	}
	l.streams[s.peer] = s
	l.wg.Add(1)
	s.place.end = s.close
	l.places.mark(s.place, true)
	return true
}

// take takes a place for a connection from an address. It returns nil if there is none.
func (l *Listener) take(from netip.Addr) *place {
	select {
	case <-l.done:
		return nil
	default:
		return l.places.take(time.Now(), from)
	}
}

// serve reads a stream until it ends.
func (l *Listener) serve(s *stream) {
	defer l.wg.Done()
	if s.relay != nil {
		l.relay(s)
	} else {
		l.pass(s)
	}
	s.close()
	s.wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, s.peer)
	l.counts.dropped.Add(s.lost.Load())
}

// pass hands the server the datagrams that a stream brings.
func (l *Listener) pass(s *stream) {
	for d := datagrams.Get().(*datagram); s.read(d) == nil; {
		if l.allows(s) && l.push(d) {
			d = datagrams.Get().(*datagram)
		}
	}
}

// allows reports whether a stream may bring another message.
func (l *Listener) allows(s *stream) bool {
	if s.allowed.Add(-1) < 0 {
		l.counts.dropped.Add(1)
		return false
	}
	return true
}

// push has ReadFrom return a datagram. It reports false if there is no room.
func (l *Listener) push(d *datagram) bool {
	select {
	case l.in <- d:
		return true
	default:
		l.counts.dropped.Add(1)
		return false
	}
}

// watch renews what connections may bring, closes those that are idle, and notes which carry no
// session any more, until Close.
func (l *Listener) watch() {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-l.done:
			return
		}
		l.beat()
	}
}

// beat is what watch does. While the server says nothing to anybody, as when it hangs, nobody is left.
func (l *Listener) beat() {
	l.mu.RLock()
	defer l.mu.RUnlock()
	speaks := false
	for _, s := range l.streams {
		if s.beat(l.config) {
			s.close()
		}
		speaks = speaks || s.sentThen > 0 && s.sentBeats == 1
	}
	for _, s := range l.streams {
		if speaks {
			s.leftBeats++
		}
		if s.leftBeats > int(quietTime/beat) {
			l.places.mark(s.place, true)
		}
	}
}

// beat reports whether a stream is idle, and renews its allowance.
func (s *stream) beat(c Config) (idle bool) {
	s.allowed.Store(int64(c.Rate) * int64(beat) / int64(time.Second))
	if n := s.heard.Load(); n != s.heardThen {
		s.heardThen, s.heardBeats = n, 0
	}
	if n := s.sent.Load(); n != s.sentThen {
		s.sentThen, s.sentBeats, s.leftBeats = n, 0, 0
	}
	s.heardBeats++
	s.sentBeats++
	limit := int(c.Idle / beat)
	if s.sentThen == 0 {
		limit = min(limit, int(opening/beat))
	}
	return s.heardBeats > limit || s.sentBeats > limit
}
