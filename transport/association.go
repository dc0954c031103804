package transport

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// association is one DTLS connection after its handshake: keys, the session on
// top, and the address it lives at. It belongs to its shard; what it seals, to
// the shard's outbox.
type association struct {
	shard  *shard   // constant once its session has a player
	addr   udp.Flow // changed by the shard, under the outbox's lock
	hint   uint32   // by which the player is found at another address; constant
	place  int32    // in shard.order, unproven or removed
	player *Player  // nil before EventJoined, or as long as it is another association's

	// What every datagram needs stands together, in one piece of memory: Open and
	// Handle are the shard's, Seal and Append the outbox's.
	session serverMachine // &match, or what a DTLSServer has instead
	record  record.Conn
	match   machine.Conn
	self    Player

	stray  *stray       // where its datagrams may still arrive, nil for here
	before *association // the one that it takes the place of, until that is settled; see resume.go
	path   *path        // where the player may have gone, nil without
	left   *udp.Flow    // proven before the player left its network, nil at home: a step up's NOTICE goes there too
	flight *lastFlight  // nil when the peer cannot need it any more
	ending *ending      // nil while its session may live

	opened, sealed uint32 // by record when last looked at, modulo 2^32: a half that stands still rests
}

// lastFlight answers a repeat of the peer's last flight: ours was lost.
type lastFlight struct {
	handshake.Flight
	since  time.Time
	resent time.Time // when it was last done
}

func (a *association) address() *udp.Flow { return &a.addr }

// where is address for everybody but the shard.
func (a *association) where() netip.AddrPort {
	a.shard.out.mu.Lock()
	defer a.shard.out.mu.Unlock()
	return a.addr.AddrPort
}

// serverMachine is what an association carries: a *machine.Conn, or in a DTLSServer
// nothing but payloads.
type serverMachine interface {
	appender
	HandleLate(now time.Time, waited time.Duration, msg []byte) (machine.Reply, machine.Event)
	Verified(now time.Time, claims *token.Claims, err error) (machine.Reply, machine.Event)
	Tick(now time.Time) (machine.Reply, machine.Event)
	Close(reason wire.Reason) (machine.Reply, machine.Event)
	Disconnected() (machine.Reply, machine.Event)
	Session() *machine.Session // nil before EventJoined
	RestHandle()
	RestAppend(silent bool)
	PrefetchHandle(stage int) byte
	PrefetchAppend(stage int) byte
}

// The places of an association that has none in shard.order.
const (
	unproven = -1 // nothing has opened under its keys
	removed  = -2
)

// channel is what the session machine has to know of the handshake's result.
func channel(r *handshake.Result) machine.Channel {
	var ch machine.Channel
	copy(ch.Exporter[:], r.Secrets.Export(machine.ExporterLabel, len(ch.Exporter)))
	if len(r.Peer) > 0 {
		ch.HasCertificate, ch.Thumbprint = true, thumbprint(r.Peer[0])
	}
	return ch
}

// newAssociation takes over from the engine.
func (s *shard) newAssociation(now time.Time, addr udp.Flow, r *handshake.Result) (*association, error) {
	a := &association{shard: s, addr: addr, flight: &lastFlight{Flight: r.Flight, since: now}, place: unproven}
	if err := a.record.Init(&r.Secrets, false, r.Next, s.server.config.Session.Window); err != nil {
		return nil, err
	}
	a.session = s.server.machine(now, a, r)
	r.Secrets.Wipe()
	return a, nil
}

// rest lets the keys of a silent player lie unexpanded: of 4 KB they are most.
func (a *association) rest() {
	if n := uint32(a.record.Opened()); n == a.opened {
		a.record.RestOpen()
		a.session.RestHandle()
	} else {
		a.opened = n
	}
	a.shard.out.mu.Lock()
	defer a.shard.out.mu.Unlock()
	n := uint32(a.record.Sealed())
	if n == a.sealed {
		a.record.RestSeal()
	}
	a.session.RestAppend(n == a.sealed)
	a.sealed = n
}

// adopt puts an association in its address's place. Who was there before, and can
// resume, goes on beside it until it is known who has come.
func (s *shard) adopt(now time.Time, a *association) {
	old := s.associations.Lookup(a.addr)
	for ; old != nil && !old.stays(); old = s.associations.Lookup(a.addr) {
		s.replace(now, old) // which may bring back the one before it
	}
	a.before = old
	s.occupy(a)
	if a.hint != 0 {
		s.hints[a.hint] = a
	}
	a.place = int32(len(s.order))
	s.order = append(s.order, a)
}

// detach takes an association out of its shard's tables.
func (s *shard) detach(a *association) {
	s.vacate(a.addr, occupant{here: a})
	a.before = nil
	s.unlist(a)
}

// unlist takes it out of those that do not find it by address.
func (s *shard) unlist(a *association) {
	if s.hints[a.hint] == a {
		delete(s.hints, a.hint)
	}
	last := len(s.order) - 1
	s.order[a.place] = s.order[last]
	s.order[a.place].place = a.place
	s.order[last] = nil
	s.order = s.order[:last]
	a.place = removed
}

// stays says whether its player can come back by another association.
func (a *association) stays() bool { return a.player != nil && a.match.Resumable() }

// remove forgets an association whose session is over, or goes on elsewhere.
func (s *shard) remove(a *association) {
	s.detach(a)
	s.recall(a)
	s.out.mu.Lock()
	a.record.Wipe()
	s.out.mu.Unlock()
}
