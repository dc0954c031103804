package transport

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// page is a client without DTLS, whose connection a Relay makes for it: in the test's goroutine, but for the
// handshake.
type page struct {
	w       *world
	conn    *netsim.Conn
	relay   *Relay
	binding [32]byte
	machine *machine.Client
	heard   atomic.Int64  // datagrams
	in      chan []byte   // envelopes
	ended   chan struct{} // closed when the server has ended the connection
}

// page makes a Relay with a handshake that is complete, unless err says otherwise.
func (w *world) page(n int, pin [32]byte) (*page, error) {
	w.Helper()
	conn := w.socket(playerAddr(n))
	p := &page{w: w, conn: conn, in: make(chan []byte, 100), ended: make(chan struct{})}
	p.relay = NewRelay(RelayConfig{
		Pin:     pin,
		Write:   func(b []byte) { _, _ = conn.WriteTo(b, net.UDPAddrFromAddrPort(w.place)) },
		Receive: func(b []byte) { p.in <- append([]byte(nil), b...) },
	})
	w.serving.Go(func() {
		for b := make([]byte, udp.BufferLen); ; {
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			p.heard.Add(1)
			if err := p.relay.Deliver(b[:n]); err != nil {
				if err != io.EOF {
					w.Error(err)
				}
				close(p.ended)
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
	defer cancel()
	var err error
	p.binding, err = p.relay.Handshake(ctx)
	return p, err
}

// close ends a page.
func (p *page) close() {
	if err := p.relay.Close(); err != nil {
		p.w.Error(err)
	}
	p.conn.Close()
}

// send hands an envelope of the machine's to the relay.
func (p *page) send(kind wire.Kind, body []byte) {
	b, err := p.machine.Append(nil, kind, body)
	if err == nil {
		err = p.relay.Send(b)
	}
	if err != nil {
		p.w.Error(err)
	}
}

// await handles what comes until an event of this kind.
func (p *page) await(kind machine.EventKind) machine.Event {
	p.w.Helper()
	for {
		select {
		case b := <-p.in:
			reply, ev := p.machine.Handle(time.Now(), b)
			if reply.Kind != 0 {
				p.send(reply.Kind, reply.Body)
			}
			if ev.Kind == kind {
				return ev
			}
		case <-time.After(5 * time.Second):
			p.w.Fatalf("no %v", kind)
		}
	}
}

// join opens a session.
func (p *page) join(n int) {
	p.w.Helper()
	m, err := machine.NewClient(time.Now(), session.ClientConfig{}, machine.Channel{Exporter: p.binding}, []byte(p.w.issuer.Token(p.w, grantFor(n))))
	if err != nil {
		p.w.Fatal(err)
	}
	p.machine = m
	m.Tick(time.Now(), p.send)
	p.await(machine.EventJoined)
}

// again makes another page, and resumes the session there.
func (p *page) again(n int) *page {
	p.w.Helper()
	next, err := p.w.page(n, p.w.server.pin())
	if err != nil {
		p.w.Fatal(err)
	}
	if next.machine, err = p.machine.Resume(time.Now(), machine.Channel{Exporter: next.binding}, nil); err != nil {
		p.w.Fatal(err)
	}
	next.machine.Tick(time.Now(), next.send)
	next.await(machine.EventResumed)
	return next
}

// pin is that of the server's certificate.
func (s *Server) pin() [32]byte { return sha256.Sum256(s.certificate.Load().Certificate[0]) }

// A client whose connection a Relay makes is a player like any other, and its end comes through.
func TestRelay(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		p, err := w.page(1, w.server.pin())
		if err != nil {
			t.Fatal(err)
		}
		defer p.close()
		p.join(1)
		for i := range 50 {
			text := fmt.Sprint("hello ", i)
			p.send(wire.KindData, []byte(text))
			if got := p.await(machine.EventData).Payload; string(got) != text {
				t.Fatalf("%q came back as %q", text, got)
			}
		}
		p.send(wire.KindData, make([]byte, wire.MaxBody))
		if got := p.await(machine.EventData).Payload; len(got) != wire.MaxBody {
			t.Errorf("%d bytes", len(got))
		}
		if a := w.match.player(0).Addr(); a != playerAddr(1) {
			t.Errorf("the player is at %v", a)
		}
		w.match.player(0).Kick(session.ReasonKicked)
		if ev := p.await(machine.EventClosed); ev.Reason != session.ReasonKicked {
			t.Errorf("closed for %v", ev.Reason)
		}
		<-p.ended // close_notify, after the copies of CLOSE
		if err := p.relay.Close(); err != nil {
			t.Error(err)
		}
		if err := p.relay.Send(make([]byte, MinEnvelope)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if err := p.relay.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}

// "The relay MUST verify the server's certificate" PROTOCOL.md 9.9. Nor does it hang where nobody answers.
func TestRelayHandshake(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		p, err := w.page(1, [32]byte{1})
		if !errors.Is(err, ErrHandshake) || !errors.Is(err, ErrPin) {
			t.Errorf("another certificate: %v", err)
		}
		p.close()
		w.place = thief
		start := time.Now()
		p, err = w.page(2, w.server.pin())
		if !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 6*time.Second {
			t.Errorf("nobody answers: %v after %v", err, time.Since(start))
		}
		p.close()
		closed := NewRelay(RelayConfig{Write: func([]byte) {}})
		closed.Close()
		if _, err := closed.Handshake(w.Context()); !errors.Is(err, ErrHandshake) {
			t.Errorf("a closed one: %v", err)
		}
		if err := closed.Deliver([]byte("x")); err != nil {
			t.Error(err)
		}
	})
}

// A Relay takes no more than an envelope, drops what does not authenticate, and its keys end before they are used up:
// "An end MUST NOT protect more than 2^24 records with one key" PROTOCOL.md 9.5
func TestRelayLimits(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		p, err := w.page(1, w.server.pin())
		if err != nil {
			t.Fatal(err)
		}
		defer p.close()
		p.join(1)
		for _, n := range []int{0, MinEnvelope - 1, MaxEnvelope + 1} {
			if err := p.relay.Send(make([]byte, n)); err == nil {
				t.Errorf("an envelope of %d bytes is taken", n)
			}
		}
		for _, forged := range [][]byte{nil, {1, 2, 3}, {21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40}, make([]byte, 1200)} {
			if err := p.relay.Deliver(forged); err != nil {
				t.Errorf("%x: %v", forged, err)
			}
		}
		p.send(wire.KindData, []byte("still here"))
		p.await(machine.EventData)
		synctest.Wait()
		secrets := record.Secrets{Suite: 0xc02b}
		rc, err := record.New(&secrets, true, record.MaxRecords-rekeyMargin-1, 0)
		if err != nil {
			t.Fatal(err)
		}
		p.relay.mu.Lock()
		p.relay.record = rc
		p.relay.mu.Unlock()
		if err := p.relay.Send(make([]byte, MinEnvelope)); err != nil {
			t.Errorf("the last envelope: %v", err)
		}
		if err := p.relay.Send(make([]byte, MinEnvelope)); !errors.Is(err, ErrRelayUsedUp) {
			t.Errorf("one more: %v", err)
		}
	})
}

// "The relay MUST send close_notify when the WebSocket ends" PROTOCOL.md 9.9. "An end that has sent no close_notify on the
// connection MUST answer a close_notify with one." PROTOCOL.md 5.5
func TestRelayEnds(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		p, err := w.page(1, w.server.pin())
		if err != nil {
			t.Fatal(err)
		}
		defer p.close()
		p.join(1)
		time.Sleep(time.Second)
		synctest.Wait()
		before := p.heard.Load()
		p.relay.Close()
		synctest.Wait()
		if n := p.heard.Load() - before; n != 1 {
			t.Errorf("the server has answered with %d datagrams", n)
		}
		w.quiet()
	})
}

// "MUST erase its keys when the WebSocket ends" PROTOCOL.md 9.9: then the relay is closed.
func TestRelayErases(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		p, err := w.page(1, w.server.pin())
		if err != nil {
			t.Fatal(err)
		}
		defer p.close()
		p.join(1)
		p.relay.Close()
		p.relay.mu.Lock()
		defer p.relay.mu.Unlock()
		if _, err := p.relay.record.Seal(nil, record.ApplicationData, nil); !errors.Is(err, record.ErrExhausted) {
			t.Errorf("a record after Close: %v", err)
		}
		if _, _, err := p.relay.record.Open([]byte{23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 1, 0, 24, 23: 0, 36: 0}); !errors.Is(err, record.ErrExhausted) {
			t.Errorf("a record opens after Close: %v", err)
		}
	})
}

// What passes a Relay allocates nothing, either way.
func TestRelayAllocates(t *testing.T) {
	var secrets record.Secrets
	secrets.Suite = 0xc02b
	server, err := record.New(&secrets, false, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRelay(RelayConfig{Write: func([]byte) {}, Receive: func([]byte) {}})
	if r.record, err = record.New(&secrets, true, 1, 0); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	envelope, buffer := make([]byte, MaxEnvelope), make([]byte, 0, wire.MaxDatagram)
	if n := testing.AllocsPerRun(100, func() {
		b, err := server.Seal(buffer, record.ApplicationData, envelope)
		if err != nil || r.Deliver(b) != nil || r.Send(envelope) != nil {
			t.Error("it is not relayed")
		}
	}); n > 0 {
		t.Errorf("%v allocations for a datagram each way", n)
	}
}
