package handshake

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is the net.Conn of an engine. Its owner feeds it with Deliver and sends what it writes; the
// engine uses the methods of net.Conn. Both may use it at the same time. Only Read and Wait block.
type Conn struct {
	// Set by NewConn, constant afterwards.
	server        bool
	local, remote net.Addr
	send          func(datagram []byte)

	proven  atomic.Bool
	retired sync.WaitGroup // the engine that Retire closes; Wait waits

	// The writing side. Lock order: out, then mu.
	out   sync.Mutex
	muted bool
	shown bool     // it has proven possession of the client certificate's key
	next  uint64   // record number of epoch 0 that follows its last
	spent []uint64 // explicit nonces of its records of epoch 1
	ccs   []byte   // its last ChangeCipherSpec record
	fin   []byte   // its last Finished record

	numbering numbering
	returning returning // of a client

	// The reading side.
	mu       sync.Mutex
	wake     *sync.Cond // inbox, greeting, closed or deadline has changed
	inbox    [][]byte
	filter   filter
	greeting greeting    // of a server, until the cookie has come back
	alert    AlertError  // the peer's last, 0 without
	patience *time.Timer // fires when nothing has come since an alert; nil without
	cause    error       // why the Conn has closed itself
	unlike   bool        // a server's client has named signature algorithms, and none of ours
	over     bool        // the engine has had its part: everything is for the record layer
	closed   bool
	deadline time.Time
	timer    *time.Timer // wakes Read at deadline
}

// NewConn returns a Conn for one handshake. send is given each datagram that the engine sends, one
// call at a time; it must not block, call the Conn or keep the slice. The addresses are for the
// engine's information.
func NewConn(server bool, local, remote net.Addr, send func(datagram []byte)) *Conn {
	c := &Conn{server: server, local: local, remote: remote, send: send, filter: newFilter(server)}
	c.wake = sync.NewCond(&c.mu)
	return c
}

// ExpectCookie makes a client ignore everything before HelloVerifyRequest, and everything of epoch 0
// that does not go on from the record number of its ClientHello: what is forged, or left over from an
// earlier handshake between the same addresses, would mislead the engine. Call it before the handshake,
// for a server that always asks for the cookie and answers so.
func (c *Conn) ExpectCookie() {
	c.out.Lock()
	defer c.out.Unlock()
	c.numbering.first = randomNumber()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.filter.cookie, c.filter.numbers = true, numbers{c.numbering.first, true}
}

// Read waits for the next datagram that passed the filter. It returns net.ErrClosed after Close and
// os.ErrDeadlineExceeded after the deadline. A datagram longer than b is truncated, as with a
// socket.
func (c *Conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(c.inbox) > 0:
			n := copy(b, c.inbox[0])
			c.inbox = c.inbox[1:]
			return n, nil
		}
		c.wake.Wait()
	}
}

// SetReadDeadline implements net.Conn. A deadline in the past ends a Read in progress.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.deadline = t
	switch d := time.Until(t); {
	case t.IsZero() || c.closed:
	case d <= 0: // without a timer: in a synctest bubble two that are due at once crash the race detector
		c.wake.Broadcast()
	default:
		c.timer = time.AfterFunc(d, c.rouse)
	}
	return nil
}

// rouse makes Read look again. Without the lock it could come between Read's look and its wait, and
// be lost.
func (c *Conn) rouse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wake.Broadcast()
}

// SetWriteDeadline implements net.Conn. Write never waits.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// Close ends the engine's reading and writing. Deliver goes on to say Divert if the engine has had
// its part, and says Refused otherwise.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
	return nil
}

// close is Close for callers that hold mu.
func (c *Conn) close() {
	c.closed, c.inbox, c.greeting = true, nil, greeting{}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.clearAlert()
	c.wake.Broadcast()
}

// Proven reports whether a server's peer has returned the cookie in a complete ClientHello, and so
// receives at its address. It is safe for concurrent use.
func (c *Conn) Proven() bool { return c.proven.Load() }

// Retire closes an engine that has been muted, in the background, because it may take as long as
// Retransmit.
func (c *Conn) Retire(engine io.Closer) {
	c.retired.Go(func() {
		_ = engine.Close() // whatever it still writes is discarded
		_ = c.Close()
	})
}

// Wait returns once a retired engine has ended; at once if there is none.
func (c *Conn) Wait() { c.retired.Wait() }
