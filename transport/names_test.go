package transport

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// nameServer says the same of every name.
type nameServer struct {
	mu    sync.Mutex
	addrs []netip.Addr
}

// lead has every name lead to addrs from now on.
func (s *nameServer) lead(addrs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addrs = nil
	for _, a := range addrs {
		s.addrs = append(s.addrs, netip.MustParseAddr(a))
	}
}

// names has package net ask a nameServer until the end of the test.
func names(t *testing.T, addrs ...string) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{}
	s.lead(addrs...)
	var served sync.WaitGroup
	served.Go(func() {
		for b := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			conn.WriteTo(s.answer(b[:n]), from) //nolint:errcheck // a lost datagram
		}
	})
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		conn.Close()
		served.Wait()
	})
	return s
}

// answer is a DNS message of RFC 1035, section 4.
func (s *nameServer) answer(query []byte) []byte {
	end := 12 // of the name
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	typ := binary.BigEndian.Uint16(query[end+1:])
	b := append([]byte{query[0], query[1], 0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end+5]...)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.addrs {
		ip := a.AsSlice()
		if typ == 1 && len(ip) == 4 || typ == 28 && len(ip) == 16 {
			b[7]++
			b = append(b, 0xc0, 12, 0, byte(typ), 0, 1, 0, 0, 0, 0, 0, byte(len(ip)))
			b = append(b, ip...)
		}
	}
	return b
}

// "Where a name has several addresses, Dial tries the next when one does not answer for a quarter
// of a second", and the token is shown once.
func TestSeveralAddresses(t *testing.T) {
	for name, addrs := range map[string][]string{
		"IPv6 broken":    {"::1", "127.0.0.1"},
		"first silent":   {"127.0.0.9", "127.0.0.1"},
		"three silent":   {"127.0.0.9", "::1", "127.0.0.8", "127.0.0.1"},
		"first is right": {"127.0.0.1", "127.0.0.9"},
	} {
		t.Run(name, func(t *testing.T) {
			names(t, addrs...)
			loopback(t, func(w *world) {
				w.serve() // on 127.0.0.1
				began := time.Now()
				c, err := w.dialAt(fmt.Sprint("play.example.com:", w.server.Addr().Port()), 1, func(c *ClientConfig) { c.Token = w.once(grantFor(1)) })
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
				w.echo(c, "hello")
				if s := w.server.Stats().Handshakes; s.Completed != 1 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// "The name is looked up again when the server is lost": the session goes on with another
// server of the fleet, at the address to which the name leads by now, or at one to which
// it has led from the beginning.
func TestNameThatLeadsElsewhere(t *testing.T) {
	for name, lead := range map[string][2][]string{
		"moved":        {{"127.0.0.1"}, {"127.0.0.2"}},
		"second of it": {{"127.0.0.1", "127.0.0.2"}, {"127.0.0.1", "127.0.0.2"}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := names(t, lead[0]...)
			loopback(t, func(w *world) {
				fleet := w.fleet(t)
				first := w.serve(fleet)
				port := first.Addr().Port()
				c, err := w.dialAt(fmt.Sprint("play.example.com:", port), 1)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				w.echo(c, "hello")
				first.Close()
				w.serving.Wait()
				ns.lead(lead[1]...)
				w.served, w.address = nil, fmt.Sprint("127.0.0.2:", port)
				w.serve(fleet)
				for began := time.Now(); c.Stats().Resumed == 0; time.Sleep(10 * time.Millisecond) {
					if time.Since(began) > patience {
						t.Fatal("the session has not gone on")
					}
				}
				w.echo(c, "again")
			})
		})
	}
}

// A name with the dot behind it that makes it absolute is the same name: for Dial, in
// ServerName, and with both ends of DTLS alone.
func TestAbsoluteName(t *testing.T) {
	names(t, "127.0.0.1")
	loopback(t, func(w *world) {
		w.serve()
		for i, host := range []string{"localhost", "localhost."} {
			for j, server := range []string{"", "localhost", "localhost."} {
				c, err := w.dialAt(fmt.Sprintf("%s:%d", host, w.server.Addr().Port()), 10*i+j, func(c *ClientConfig) { c.ServerName = server })
				if err != nil {
					t.Fatalf("%q, ServerName %q: %v", host, server, err)
				}
				c.Close()
			}
		}
	})
}

// What a server says of its own address can be dialled, also of one that listens on every
// address.
func TestDialWhereServerListens(t *testing.T) {
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "127.0.0.1:0", "[::1]:0"} {
		t.Run(listen, func(t *testing.T) {
			loopback(t, func(w *world) {
				w.address = listen
				w.serve()
				for i, at := range []string{w.server.Addr().String(), fmt.Sprint(":", w.server.Addr().Port())} {
					if i > 0 && w.server.Addr().Addr() == netip.IPv6Loopback() {
						continue // not on every address of this host
					}
					c, err := w.dialAt(at, i)
					if err != nil {
						t.Fatalf("%s: %v", at, err)
					}
					w.echo(c, "hello")
					c.Close()
				}
			})
		})
	}
}
