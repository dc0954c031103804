package transport

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/handshake"
	"github.com/sallyport/sallyport/record"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/wire"
)

// association is one DTLS connection after its handshake: keys, the session on
// top, and the address it lives at. It belongs to its shard; what it seals, to
// the shard's outbox.
type association struct {
	shard *shard         // constant
	addr  netip.AddrPort // constant: another address is another association

	record  *record.Conn // Open is the shard's, Seal the outbox's
	session machine      // Append is the outbox's, the rest the shard's
	player  *Player      // nil before EventJoined

	flight  *handshake.Result // to answer a repeat of the peer's last flight; nil when the peer cannot need it
	resent  time.Time         // when it was last done
	born    time.Time
	removal time.Time // when a closed association goes; zero while its session may live
	place   int       // in shard.order, or unproven
}

// machine is what an association carries: a *session.Conn, or in a DTLSServer
// nothing but payloads.
type machine interface {
	appender
	Handle(now time.Time, msg []byte) (session.Reply, session.Event)
	Verified(now time.Time, claims *token.Claims, err error) (session.Reply, session.Event)
	Tick(now time.Time) (session.Reply, session.Event)
	Close(reason wire.Reason) (session.Reply, session.Event)
	Session() *session.Session // nil before EventJoined
	PrefetchHandle(stage int) byte
	PrefetchAppend(stage int) byte
}

// unproven is the place of an association under whose keys nothing has opened.
const unproven = -1

// channel is what the session machine has to know of the handshake's result.
func channel(r *handshake.Result) session.Channel {
	var ch session.Channel
	copy(ch.Exporter[:], r.Secrets.Export(session.ExporterLabel, len(ch.Exporter)))
	if len(r.Peer) > 0 {
		ch.HasCertificate, ch.Thumbprint = true, thumbprint(r.Peer[0])
	}
	return ch
}

// newAssociation takes over from the engine.
func (s *shard) newAssociation(now time.Time, addr netip.AddrPort, r *handshake.Result) (*association, error) {
	rc, err := record.New(&r.Secrets, false, r.Next, s.server.config.Session.Window)
	if err != nil {
		return nil, err
	}
	a := &association{shard: s, addr: addr, record: rc, flight: r, born: now, place: unproven}
	a.session = s.server.machine(now, a, r)
	r.Secrets.Wipe()
	return a, nil
}

// adopt puts an association in its address's place. What was there before has
// been replaced by its own owner, who has just proved it (RFC 6347 4.2.8).
func (s *shard) adopt(now time.Time, a *association) {
	if old := s.associations[a.addr]; old != nil {
		s.replace(now, old)
	}
	s.associations[a.addr], s.last = a, nil
	a.place = len(s.order)
	s.order = append(s.order, a)
}

// remove forgets an association whose session is over.
func (s *shard) remove(a *association) {
	if s.associations[a.addr] == a {
		delete(s.associations, a.addr)
		s.last = nil
	}
	last := len(s.order) - 1
	s.order[a.place] = s.order[last]
	s.order[a.place].place = a.place
	s.order[last] = nil
	s.order = s.order[:last]
	s.out.mu.Lock()
	a.record.Wipe()
	s.out.mu.Unlock()
}
