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
