package dtls

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/udp"
)

// lodger is a connection's user that stays beside others.
type lodger struct{ User }

func (lodger) Handle(time.Time, time.Duration, []byte) {}
func (lodger) Closed(time.Time)                        {}
func (lodger) Replaced(time.Time) bool                 { return true }
func (lodger) Tick(time.Time)                          {}
func (lodger) Prefetch(*Conn, int) byte                { return 0 }

// "A record without a connection id belongs to the newest connection of the address that it comes from."
// PROTOCOL.md 9.6: also if that is made by a datagram that was received together with the record, whose
// connection has been looked for beforehand.
func TestNewestIsFoundAmidABatch(t *testing.T) {
	sock, err := udp.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := New(sock, Config{Now: time.Now, Wall: time.Now, Shards: 1, NewUser: func(*Shard) User { return lodger{} }})
	s, addr := e.First(), udp.Flow{AddrPort: netip.MustParseAddrPort("192.0.2.1:1")}
	defer s.Close() //nolint:errcheck // it has served
	made := func() *Conn {
		c := &Conn{Shard: s, Addr: addr}
		c.Init(lodger{}, 0)
		s.Table.Adopt(time.Now(), c)
		return c
	}
	made()
	batch := []udp.Packet{{Addr: addr}, {Addr: addr}}
	s.Table.prefetch(batch, s.User)
	newest := made()
	s.Table.last = s.Table.ahead.found[1]
	if s.Table.At(addr) != newest {
		t.Error("a former one is found")
	}
}

// A connection moves to another shard though somebody newer is at its address, to whom records without a
// connection id go until then, and is found by them again when that one has gone.
func TestMovesBesideANewerOne(t *testing.T) {
	sock, err := udp.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := New(sock, Config{Now: time.Now, Wall: time.Now, Shards: 1, NewUser: func(*Shard) User { return lodger{} }})
	s, now := e.First(), time.Now()
	defer s.Close() //nolint:errcheck // it has served
	to := e.NewShard(sock, 1)
	e.Use(s, to)
	addr := udp.Flow{AddrPort: netip.MustParseAddrPort("192.0.2.1:1")}
	var conns [2]*Conn
	for i := range conns {
		conns[i] = &Conn{Shard: s, Addr: addr}
		conns[i].Init(lodger{}, 0)
		s.Table.Adopt(now, conns[i])
	}
	then := &arrived{}
	s.Table.Move(conns[0], to, then)
	to.Delivered(now)
	if !then.delivered || to.Table.At(addr) != conns[0] || s.Table.At(addr) != conns[1] {
		t.Fatalf("it has arrived: %v", then.delivered)
	}
	s.Table.Remove(conns[1])
	if away := s.Table.away(addr); s.Table.At(addr) != nil || away == nil || away.to != to {
		t.Error("what comes from its address is not forwarded")
	}
	to.Table.Remove(conns[0])
	s.Delivered(now)
	if n := s.Holdings(); n.Conns+n.Addresses+n.Occupants > 0 || to.Holdings().Conns > 0 {
		t.Errorf("what is left: %+v", n)
	}
}

// arrived is a message that notes that it is delivered.
type arrived struct{ delivered bool }

func (a *arrived) Deliver(time.Time) { a.delivered = true }
