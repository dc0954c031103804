package transport

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/netsim"
)

// FuzzArrive gives a client any datagrams in its server's name, each behind its length in two bytes:
// while it plays on one connection, makes another beside it, has made it, and while the former one is
// still heard. No connection ends, little is kept, and the server's own records open afterwards.
func FuzzArrive(f *testing.F) {
	network := netsim.New(1)
	f.Cleanup(func() { network.Close() })
	conn, err := network.Listen(playerAddr(1))
	if err != nil {
		f.Fatal(err)
	}
	hello := rec(record.Handshake, 0, 0, 3, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0xfe, 0xfd, 0)
	for state := range uint8(6) {
		for _, b := range [][]byte{
			nil, {byte(record.Handshake)}, {retry.TypeRetry, 1}, hello, rec(record.Alert, 0, 0, 2, 40), rec(record.ApplicationData, 1, 1, make([]byte, 60)...),
		} {
			f.Add(state, slices.Concat([]byte{byte(len(b) >> 8), byte(len(b))}, b))
		}
	}
	f.Fuzz(func(t *testing.T, state uint8, in []byte) {
		var socket clientSocket
		socket.init(conn, serverAddr.String(), false)
		now := time.Now()
		s := clientState{socket: &socket, candidates: &candidates{}}
		keys := record.Secrets{Suite: record.ECDSAWithAES128}
		line := func(keyed bool) *clientConn {
			c := newClientConn(now, &socket, serverAddr)
			t.Cleanup(func() { c.negotiating.Close() }) //nolint:errcheck // never fails
			if keyed {
				c.record, err = record.New(&keys, true, 1, 0)
				if err != nil {
					t.Fatal(err)
				}
			}
			return c
		}
		s.conns.current = line(true)
		if state%3 > 0 {
			s.conns.next = line(state%3 == 2)
		}
		if state/3%2 > 0 {
			s.conns.former = line(true)
		}
		before := s.conns
		for len(in) >= 2 {
			n := min(int(in[0])<<8|int(in[1]), len(in)-2)
			s.arrive(now, nil, serverAddr, slices.Clone(in[2:][:n]))
			in = in[2+n:]
		}
		if next := s.conns.next; next != nil && len(next.backlog) > dtls.MaxBacklog {
			t.Errorf("%d datagrams are kept", len(next.backlog))
		}
		if s.conns.current != before.current || s.conns.next != before.next || s.conns.former != before.former {
			t.Error("a connection has gone")
		}
		server, err := record.New(&keys, false, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		warning, err := server.Seal(nil, record.Alert, []byte{1, 90})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*clientConn{s.conns.current, s.conns.next, s.conns.former} {
			if c == nil || c.record == nil {
				continue
			}
			if any, failed := s.open(now, c, slices.Clone(warning)); !any || failed > 0 {
				t.Error("a record of the server's does not open")
			}
		}
	})
}
