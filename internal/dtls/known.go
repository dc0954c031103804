package dtls

import (
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/udp"
)

// Known is an address from which a peer's datagrams come, for whoever tells peers from strangers
// before the socket does. It is said again once in a sources.LiveInterval, and whenever it changes.
type Known struct {
	Addr netip.AddrPort
	ID   uint32        // the connection id of the peer's; 0 if it has none, or none yet
	For  time.Duration // from now on; 0 if the peer has gone
}

// KnownFor is how long a peer is known: two notes may come late or be lost.
const KnownFor = 2*sources.LiveInterval + 30*time.Second

// lodgers knows where the peers of all shards are, and tells whoever asks for it; if nobody does, it
// keeps nothing. Several connections may have one address, on any shard, or with another address of
// ours. It is safe for concurrent use.
type lodgers struct {
	report    func(Known)   // Config.Known, constant
	handshake time.Duration // how long an address is known that has returned the cookie; constant

	mu sync.Mutex
	// +checklocks:mu
	count map[netip.AddrPort]int // connections by their peers' addresses
}

func newLodgers(c *Config) lodgers {
	return lodgers{report: c.Known, handshake: c.HandshakeTimeout + c.ConfirmTimeout + SweepInterval}
}

// asked reports whether somebody asks for an address. What travels by a carrier does not come to the
// socket.
func (l *lodgers) asked(addr udp.Flow) bool {
	return l.report != nil && addr.Local != addrtable.Carried
}

// tell reports an address, if anybody asks.
func (l *lodgers) tell(addr udp.Flow, id uint32, d time.Duration) {
	if l.asked(addr) {
		l.report(Known{addr.AddrPort, id, d})
	}
}

// proven reports an address that has returned the cookie: what comes next is the rest of its
// handshake, and the first records under its keys.
func (l *lodgers) proven(addr udp.Flow) { l.tell(addr, 0, l.handshake) }

// add notes that one more connection is at an address, or with -1 one less.
func (l *lodgers) add(addr udp.Flow, more int) {
	if !l.asked(addr) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = make(map[netip.AddrPort]int)
	}
	if l.count[addr.AddrPort] += more; l.count[addr.AddrPort] == 0 {
		delete(l.count, addr.AddrPort)
	}
}

// at reports whether a connection is at an address.
func (l *lodgers) at(addr udp.Flow) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count[addr.AddrPort] > 0
}

// known reports where a connection is.
func (c *Conn) known() { c.Shard.Endpoint.lodgers.tell(c.Addr, c.ID, KnownFor) }

// left reports that a connection has left an address, or has gone with its connection id. The address
// is not known any more, unless somebody else is there.
func (s *Shard) left(addr udp.Flow, id uint32) {
	l := &s.Endpoint.lodgers
	if l.at(addr) || s.Handshakes.At(addr) != nil {
		addr = udp.Flow{}
	}
	l.tell(addr, id, 0)
}

// Renote reports where all peers of a shard are, at once.
func (t *Table) Renote() {
	for _, c := range t.order {
		c.known()
	}
}
