package statuspage

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

// "At most 128 connections at once. Another one then takes the place of the oldest": whoever holds all
// of them, each with a request that never ends, does not have a supervisor restart the server.
func TestConnections(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(readOnly(t))
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	defer func() { s.Close(); <-done }()
	var conns []net.Conn
	for range maxConns {
		c := dial(t, l)
		io.WriteString(c, "G")
		conns = append(conns, c)
	}
	if answer := get(dial(t, l)); !strings.Contains(answer, " 200 ") {
		t.Errorf("/live over one more: %q", answer)
	}
	conns[0].SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conns[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the oldest is still open: %v", err)
	}
}

// "Of the address, or the IPv6 network of 64 bits, that holds the most": a prober that has been there
// for longest keeps its place.
func TestCrowding(t *testing.T) {
	t.Parallel()
	p := &places{taken: make(map[net.Conn]place)}
	open := func(address string) *peer {
		c := &peer{remote: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
		p.note(c, http.StateNew)
		return c
	}
	prober, other := open("192.0.2.1:1"), open("[2001:db8:1::1]:1")
	attackers := []*peer{open("[2001:db8:2::1]:1")}
	for n := range 2 * maxConns {
		attackers = append(attackers, open(fmt.Sprintf("[2001:db8:2::%x]:1", n+2)))
	}
	closed := 0
	for _, c := range attackers {
		if c.closed {
			closed++
		}
	}
	if want := len(attackers) + 2 - maxConns; closed != want || prober.closed || other.closed || !attackers[want-1].closed || attackers[want].closed {
		t.Errorf("%d of the attacker's are closed, want the oldest %d; the prober's %v, another's %v", closed, want, prober.closed, other.closed)
	}
	for _, c := range append(attackers, prober, other) {
		p.note(c, http.StateClosed)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.taken) != 0 {
		t.Errorf("%d places are left", len(p.taken))
	}
}

// peer is a connection from remote.
type peer struct {
	net.Conn
	remote net.Addr
	closed bool
}

func (p *peer) RemoteAddr() net.Addr { return p.remote }
func (p *peer) Close() error         { p.closed = true; return nil }

// "A stream sets its own time for what it writes": it outlives the server's time limits.
func TestStreamOutlivesLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		events, l := &log{}, &pipes{make(chan net.Conn), make(chan struct{})}
		s := NewServer(readOnly(t, func(c *Config) { c.Events = events }))
		done := make(chan error, 1)
		go func() { done <- s.Serve(l) }()
		defer func() { s.Close(); <-done }()
		transport := &http.Transport{DialContext: l.dial}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport}).Get("http://localhost/events")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		time.AfterFunc(2*max(s.ReadTimeout, s.WriteTimeout), func() { events.add(1) })
		for lines := bufio.NewReader(answer.Body); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("the stream has ended: %v", err)
			}
			if strings.HasPrefix(line, "data: ") {
				return
			}
		}
	})
}

// pipes is a listener for connections in memory, whose deadlines pass in virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.conns <- pipe{there}
	return here, nil
}

// pipe is a connection within this machine.
type pipe struct{ net.Conn }

func (pipe) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (pipe) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Addr() net.Addr { return pipe{}.LocalAddr() }
func (p *pipes) Close() error   { close(p.closed); return nil }

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// get returns what a request over c is answered; empty if the connection is closed.
func get(c net.Conn) string {
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	b, _ := io.ReadAll(c)
	return string(b)
}

// Who makes room is not waited for, not even to be told so under TLS: others wait to be let in.
func TestAbort(t *testing.T) {
	t.Parallel()
	authority := testkit.NewAuthority(t)
	here, there := net.Pipe()
	server := tls.Server(here, &tls.Config{Certificates: []tls.Certificate{*authority.Server(t)}})
	client := tls.Client(there, &tls.Config{RootCAs: authority.Pool(), ServerName: testkit.ServerName})
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := errors.Join(server.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	abort(server) // nobody reads what it might write
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it waited %v for its peer", took)
	}
}
