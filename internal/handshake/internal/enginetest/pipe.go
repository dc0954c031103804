package enginetest

import (
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// Pipe is one end of a Link as a plain net.Conn: what a DTLS library has without this project.
type Pipe struct {
	send func([]byte)

	mu       sync.Mutex
	wake     *sync.Cond
	inbox    [][]byte
	closed   bool
	deadline time.Time
}

// NewPipe attaches a Pipe to the link.
func NewPipe(l *Link, client bool) *Pipe {
	p := &Pipe{send: l.Send(client)}
	p.wake = sync.NewCond(&p.mu)
	l.sinks[index(client)] = func(b []byte) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.inbox = append(p.inbox, slices.Clone(b))
		p.wake.Broadcast()
	}
	return p
}

func (p *Pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.closed:
			return 0, net.ErrClosed
		case !p.deadline.IsZero() && !time.Now().Before(p.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(p.inbox) > 0:
			n := copy(b, p.inbox[0])
			p.inbox = p.inbox[1:]
			return n, nil
		}
		p.wake.Wait()
	}
}

func (p *Pipe) Write(b []byte) (int, error) {
	p.send(b)
	return len(b), nil
}

func (p *Pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.wake.Broadcast()
	return nil
}

func (p *Pipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.wake.Broadcast()
		})
	}
	return nil
}

func (p *Pipe) SetWriteDeadline(time.Time) error { return nil }
func (p *Pipe) SetDeadline(t time.Time) error    { return p.SetReadDeadline(t) }
func (p *Pipe) LocalAddr() net.Addr              { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *Pipe) RemoteAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
