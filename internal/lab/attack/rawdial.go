package attack

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// dial connects from a local address, nil for a new one, and presents an identity token. The error is a
// *transport.CloseError when the server refuses.
func dial(ctx context.Context, target *soak.Match, local net.Addr, config session.ClientConfig, identity []byte) (*raw, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	remote, err := net.ResolveUDPAddr("udp", target.Addr)
	if err != nil {
		return nil, err
	}
	from, _ := local.(*net.UDPAddr)
	socket, err := net.DialUDP("udp", from, remote)
	if err != nil {
		return nil, err
	}
	p := &raw{socket: socket, joined: make(chan struct{}), ended: make(chan struct{})}
	host, _, _ := net.SplitHostPort(target.Addr) // it has been resolved
	if err := p.negotiate(ctx, host, target.RootCAs, config, identity); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	p.wg.Go(p.receive)
	select {
	case <-p.joined:
	case <-p.ended:
	case <-ctx.Done():
	}
	select {
	case <-p.joined: // whatever has come since
		return p, nil
	default:
	}
	if err = p.why(); err == nil {
		err = transport.ErrTimeout
	}
	p.vanish()
	return nil, err
}

// negotiate runs the handshake and takes the keys over.
func (p *raw) negotiate(ctx context.Context, name string, roots *x509.CertPool, config session.ClientConfig, identity []byte) error {
	c := handshake.NewConn(false, p.socket.LocalAddr(), p.socket.RemoteAddr(), func(b []byte) {
		_, _ = p.socket.Write(b) // a lost datagram
	})
	var feeder sync.WaitGroup
	feeder.Go(func() { p.feed(c) })
	result, err := engine.Client(ctx, c, &handshake.Config{RootCAs: roots, ServerName: name})
	err = errors.Join(err, p.socket.SetReadDeadline(time.Now())) // ends the feeder
	feeder.Wait()
	if err != nil {
		return err
	}
	c.Wait()
	defer result.Secrets.Wipe()
	var ch machine.Channel
	copy(ch.Exporter[:], result.Secrets.Export(machine.ExporterLabel, len(ch.Exporter)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.record, err = record.New(&result.Secrets, true, result.Next, 0); err != nil {
		return err
	}
	p.session, err = machine.NewClient(time.Now(), config, ch, identity)
	return err
}

// feed hands datagrams to the handshake until the deadline. What is for the record layer already is lost: the server
// repeats it.
func (p *raw) feed(c *handshake.Conn) {
	b := make([]byte, 2048)
	for {
		n, err := p.socket.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			c.Deliver(b[:n])
		}
	}
}

// receive runs the session until it is over or the socket is closed.
func (p *raw) receive() {
	defer close(p.ended)
	b := make([]byte, 2048)
	for over := false; !over; {
		p.mu.Lock()
		due := p.session.Tick(time.Now(), p.say)
		p.mu.Unlock()
		if p.socket.SetReadDeadline(due) != nil {
			return
		}
		n, err := p.socket.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			over = p.datagram(b[:n])
		}
	}
}

// datagram opens the records of a datagram; over says that it was the last.
func (p *raw) datagram(b []byte) (over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(b) > 0 && !over {
		rec, rest, ok := record.Next(b)
		if !ok {
			return false
		}
		b = rest
		typ, plaintext, err := p.record.Open(rec)
		switch {
		case err != nil:
		case typ == record.ApplicationData:
			over = p.handle(plaintext)
		case typ == record.Alert:
			p.err, over = transport.ErrDisconnected, true
		}
	}
	return over
}

// +checklocks:p.mu
func (p *raw) handle(plaintext []byte) (over bool) {
	reply, ev := p.session.Handle(time.Now(), plaintext)
	if reply.Kind != 0 {
		p.say(reply.Kind, reply.Body)
	}
	switch ev.Kind {
	case machine.EventJoined:
		close(p.joined)
	case machine.EventData:
		if s, err := arena.ParseSnapshot(ev.Payload); err == nil && s.Tick > p.snapshot.Tick {
			s.Others = nil
			p.snapshot = s
		}
	case machine.EventClosed:
		p.err = &transport.CloseError{Reason: ev.Reason, RetryAfter: ev.RetryAfter}
		return true
	}
	return false
}
