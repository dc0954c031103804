//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/handshake/pion2"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// player is a client of Sallyport in the economy of the floor's: no goroutine
// of its own, and the socket's batches. transport.Client would be the
// bottleneck, not the server.
type player struct {
	socket   *net.UDPConn
	mover    mover
	received [][]byte

	mu      sync.Mutex // sending, and machine.Append
	record  *record.Conn
	session *machine.Client
	out     []datagram
	memory  []byte
}

var errNotJoined = errors.New("bench: the server has not let the player in")

// trusts are made once for each endpoint, of which a process has one, and a test that is repeated some.
var trusts sync.Map // of func() (*trust, error), by Endpoint.Addr

func trustIn(e *endpoint) (*trust, error) {
	made, _ := trusts.LoadOrStore(e.Addr, sync.OnceValues(func() (*trust, error) { return newTrust(e) }))
	return made.(func() (*trust, error))()
}

func dialSallyport(j *job) (conn, error) {
	p, err := newPlayer(j, session.ClientConfig{})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// newPlayer dials and joins.
func newPlayer(j *job, config session.ClientConfig) (*player, error) {
	t, err := trustIn(&j.Endpoint)
	if err != nil {
		return nil, err
	}
	socket, err := connectUDP(j.Endpoint.Addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := dialContext()
	defer cancel()
	p := &player{socket: socket}
	channel, err := p.negotiate(ctx, t.roots)
	if err == nil {
		err = p.join(ctx, t.issuer, config, channel)
	}
	if err == nil {
		err = p.equip(j)
	}
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return p, nil
}

// negotiate runs the handshake and takes the keys over.
func (p *player) negotiate(ctx context.Context, roots *x509.CertPool) (ch machine.Channel, err error) {
	c := handshake.NewConn(false, p.socket.LocalAddr(), p.socket.RemoteAddr(), func(b []byte) {
		_, _ = p.socket.Write(b) // a lost datagram
	})
	var feeder sync.WaitGroup
	feeder.Go(func() { p.feed(c) })
	result, err := pion2.Engine{}.Client(ctx, c, &handshake.Config{RootCAs: roots, ServerName: serverName})
	err = errors.Join(err, p.socket.SetReadDeadline(time.Now())) // ends the feeder
	feeder.Wait()
	if err != nil {
		return ch, err
	}
	c.Wait()
	copy(ch.Exporter[:], result.Secrets.Export(machine.ExporterLabel, len(ch.Exporter)))
	p.record, err = record.New(&result.Secrets, true, result.Next, 0)
	return ch, err
}

// feed hands datagrams to the handshake until the deadline. What is for the
// record layer already is lost: the server repeats it.
func (p *player) feed(c *handshake.Conn) {
	b := make([]byte, datagramLen)
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

// join says HELLO until WELCOME comes.
func (p *player) join(ctx context.Context, issuer *token.Issuer, config session.ClientConfig, ch machine.Channel) error {
	identity, err := issuer.Mint(time.Now(), token.Grant{Subject: fmt.Sprint("player ", nextPlayer.Add(1))})
	if err != nil {
		return err
	}
	if p.session, err = machine.NewClient(time.Now(), config, ch, []byte(identity)); err != nil {
		return err
	}
	b := make([]byte, datagramLen)
	for !p.session.Live() {
		due := p.session.Tick(time.Now(), p.write)
		if ctx.Err() != nil {
			return errNotJoined
		}
		if err := p.socket.SetReadDeadline(due); err != nil {
			return err
		}
		n, err := p.socket.Read(b)
		if err != nil {
			continue
		}
		if _, _, closed, err := p.open(b[:n]); err != nil || closed {
			return errNotJoined
		}
	}
	return p.socket.SetReadDeadline(time.Time{})
}

// equip gives a player what its work needs: buffers for bursts, or next to none.
func (p *player) equip(j *job) (err error) {
	s := segmented
	if j.Work == "handshake" || j.Work == "idle" {
		s, p.memory = plain, make([]byte, datagramLen)
	} else {
		p.memory = make([]byte, batchLen*datagramLen)
	}
	p.mover, err = newMover(p.socket, s, true)
	return err
}

// write sends one envelope.
func (p *player) write(kind wire.Kind, body []byte) {
	if b, err := p.seal(make([]byte, 0, datagramLen), kind, body); err == nil {
		_, _ = p.socket.Write(b) // a lost datagram
	}
}

// seal makes a datagram at the beginning of dst.
func (p *player) seal(dst []byte, kind wire.Kind, body []byte) ([]byte, error) {
	b, err := p.session.Append(dst[:record.Prefix], kind, body)
	if err != nil {
		return nil, err
	}
	return p.record.Seal(dst[:0], record.ApplicationData, b[record.Prefix:])
}

// open judges a datagram, which holds one record. ok says that payload is one.
func (p *player) open(b []byte) (payload []byte, ok, closed bool, err error) {
	typ, plaintext, err := p.record.Open(b)
	if err != nil || typ != record.ApplicationData {
		return nil, false, typ == record.Alert, nil // an old flight or a goodbye
	}
	_, ev := p.session.Handle(time.Now(), plaintext)
	if ev.Drop != 0 {
		return nil, false, false, errors.New("bench: the client dropped an envelope: " + ev.Drop.String())
	}
	return ev.Payload, ev.Kind == machine.EventData, ev.Kind == machine.EventClosed, nil
}

func (p *player) receive() ([][]byte, error) {
	in, err := p.mover.receive()
	p.received = p.received[:0]
	for _, d := range in {
		payload, ok, closed, err := p.open(d.b)
		switch {
		case err != nil:
			return nil, err
		case closed:
			return nil, net.ErrClosed
		case ok:
			p.received = append(p.received, payload)
		}
	}
	return p.received, err
}

func (p *player) send(payloads [][]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = p.out[:0]
	free := p.memory
	for _, payload := range payloads {
		b, err := p.seal(free, wire.KindData, payload)
		if err != nil {
			return err
		}
		p.out, free = append(p.out, datagram{b: b}), b[len(b):cap(b)]
	}
	return p.mover.send(p.out)
}

// close says goodbye as transport.Client does.
func (p *player) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.session.Close(); r.Kind != 0 {
		p.write(r.Kind, r.Body)
		if b, err := p.record.Seal(nil, record.Alert, record.CloseNotify[:]); err == nil {
			_, _ = p.socket.Write(b)
		}
	}
	return p.socket.Close()
}
