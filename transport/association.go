package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// association is a connection and the session on top of it. It belongs to its shard; what it
// seals, to the shard's outbox. What every datagram needs stands together, in one piece of
// memory.
type association struct {
	dtls.Conn

	player *Player      // nil before EventJoined, or as long as it is another association's
	match  machine.Conn // Handle is the shard's, Append the outbox's
	self   Player       // its shard is the association's, from the beginning

	left   *udp.Flow // proven before the player left its network, nil at home: a step up's NOTICE goes there too
	ending *ending   // nil while its session may live
}

// channel is what the session machine has to know of the handshake's result.
func channel(r *handshake.Result) machine.Channel {
	var ch machine.Channel
	copy(ch.Exporter[:], r.Secrets.Export(machine.ExporterLabel, len(ch.Exporter)))
	if len(r.Peer) > 0 {
		ch.HasCertificate, ch.Thumbprint = true, thumbprint(r.Peer[0])
	}
	return ch
}

// before is the association that this one takes the place of, nil if there is none, or once
// that is settled; see resume.go.
func (a *association) before() *association { return associationOf(a.Former) }

// stays reports whether its player can come back by another association.
func (a *association) stays() bool { return a.player != nil && a.match.Resumable() }

// Replaced implements connUser: the session ends, unless its player can resume it.
func (a *association) Replaced(now time.Time) (stays bool) {
	if a.stays() {
		return true
	}
	_, ev := a.match.Close(wire.ReasonReplaced)
	a.leave(now, ev)
	return false
}

// Tick implements connUser.
func (a *association) Tick(now time.Time) {
	if a.ending != nil {
		if now.Sub(a.ending.began) >= lingerTime || a.ending.gone {
			a.Remove()
		}
		return
	}
	a.ForgetFlight(now)
	if a.player != nil {
		a.NoteAddressIfDue(now)
	}
	a.rest()
	a.ReprobePath(now) // which may have had to wait
	reply, ev := a.match.Tick(now)
	a.Shard.Drop(ev.Drop)
	if reply.Kind == wire.KindNotice && a.left != nil {
		a.sendTo(*a.left, reply.Kind, reply.Body) //nolint:errcheck // a lost datagram
	}
	a.act(now, reply, ev)
}

// rest drops the expanded keys of a silent player: of 4 KB they are most.
func (a *association) rest() {
	if a.DropOpenKey() {
		a.match.RestHandle()
	}
	a.Shard.Out.Mu.Lock()
	defer a.Shard.Out.Mu.Unlock()
	a.match.RestAppend(a.DropSealKey())
}

// Roamer implements dtls.Mover.
func (a *association) Roamer() dtls.Roamer {
	switch {
	case a.ending != nil && a.ending.body != nil && a.ending.pending():
		return a.ending
	case a.ending == nil && a.player != nil:
		return a
	}
	return nil
}

// Roamed implements dtls.Roamer: the network part of the fingerprint is judged, and the address
// is a candidate.
func (a *association) Roamed(now time.Time, from udp.Flow, length int) {
	switch {
	case a.ending != nil || a.Addr == from:
	case !a.match.Follows(from.Addr()):
		a.Shard.Drop(audit.DropFingerprint)
	default:
		a.Candidate(now, from, length)
	}
}

// Challenge implements mover.
func (a *association) Challenge(to udp.Flow, first bool) {
	reply := a.match.Challenge(first)
	a.sendTo(to, reply.Kind, reply.Body) //nolint:errcheck // a lost datagram
}

// challengeLen is the length in bytes of the datagram with a challenge.
const challengeLen = record.Overhead + wire.HeaderLen + 8

// move is called when a challenge has been answered: the player has moved there.
func (a *association) move(now time.Time) {
	away := a.match.Away()
	former, ok := a.Answered(now)
	if !ok {
		return
	}
	a.match.SetPath(now, a.Addr.Addr())
	switch {
	case !a.match.Away():
		a.left = nil
	case !away:
		a.left = &former
	}
	a.NoteAddress(now)
	e := a.decision(now, audit.Migrate)
	e.Previous = prefixOf(former)
	a.self.shard.server.config.Audit.Record(e)
	notice := wire.NoticeBody{Code: wire.NoticeMoved}
	a.send(wire.KindNotice, notice.AppendTo(nil)) //nolint:errcheck // a lost datagram
}
