package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/internal/wire"
)

// datagram is a datagram's way in. "While a second handshake runs on an
// address, record types 20 and 22 go to it, types 21 and 23 to the old keys
// first."
func (s *shard) datagram(now time.Time, addr udp.Flow, b []byte) {
	if len(b) == 0 || len(b) > udp.MaxLen || len(b) > wire.MaxDatagram && !isHandshake(b) {
		s.drop(audit.DropSize)
		return
	}
	a := s.association(addr)
	var o *opening
	if len(s.openings) > 0 {
		o = s.openings[addr]
	}
	switch {
	case o == nil && a == nil:
		s.unknown(now, addr, b)
	case o == nil && handshake.IsFirstHello(b):
		s.unknown(now, addr, b)
	case o == nil:
		s.records(now, a, b)
	case a == nil && s.hinted(now, addr, b): // whose player makes another connection, too
	case a == nil && !isHandshake(b) && s.away(addr) != nil:
		s.astride(now, o, b)
	case a == nil || isHandshake(b):
		s.opening(now, o, b)
	default:
		s.either(now, a, o, b)
	}
}

// association finds the one at an address. Datagrams of one player often follow
// each other, so the last answer is looked at first.
func (s *shard) association(addr udp.Flow) *association {
	if s.last == nil || s.last.addr != addr || s.last.place < 0 {
		s.last = s.associations.Lookup(addr)
	}
	return s.last
}

func isHandshake(b []byte) bool {
	t := record.ContentType(b[0])
	return t == record.ChangeCipherSpec || t == record.Handshake
}

// either tries the old keys, then the new ones that wait for their proof. Since
// opening destroys what it fails on, the second try needs a copy; a hint saves it.
func (s *shard) either(now time.Time, a *association, o *opening, b []byte) {
	if hint, ok := hintOf(b); ok && (hint == a.hint || a.before != nil && hint == a.before.hint) {
		s.records(now, a, b)
		return
	}
	s.scratch = append(s.scratch[:0], b...)
	if any, _ := s.try(now, a, b); !any {
		s.opening(now, o, s.scratch)
	}
}

// records opens the records of a datagram one by one, and reports whether any
// was the association's.
func (s *shard) records(now time.Time, a *association, b []byte) (any bool) {
	any, failed := s.try(now, a, b)
	for range failed {
		s.drop(audit.DropRecord)
	}
	return any
}

// try is open, for the association and the one whose place it takes.
func (s *shard) try(now time.Time, a *association, b []byte) (any bool, failed int) {
	if a.before != nil {
		return s.between(now, a, b)
	}
	return s.open(now, a, b)
}

// open reports whether any record was the association's, and how many were not.
func (s *shard) open(now time.Time, a *association, b []byte) (any bool, failed int) {
	for len(b) > 0 {
		rec, rest, ok := record.Next(b)
		if !ok {
			return any, failed + 1
		}
		b = rest
		typ, plaintext, err := a.record.Open(rec)
		if err != nil {
			failed++
			continue
		}
		if any = true; a.place == unproven {
			s.prove(now, a)
		}
		switch typ {
		case record.ApplicationData:
			a.flight = nil // who sends data has got it
			s.envelope(now, a, plaintext)
		case record.Alert:
			s.alert(now, a, plaintext)
		case record.Handshake:
			if handshake.IsFinished(plaintext) {
				s.repeatFlight(now, a)
			}
		}
	}
	return any, failed
}

// envelope hands a record's plaintext to the session, and does what it says.
func (s *shard) envelope(now time.Time, a *association, plaintext []byte) {
	reply, ev := a.session.HandleLate(now, s.waiting.waited(), plaintext)
	if a.player == nil {
		s.settle(now, a)
	}
	if ev.Kind == machine.EventData && reply.Kind == 0 { // the usual case
		s.handler.Receive(a.player, ev.Payload)
		return
	}
	s.drop(ev.Drop)
	s.outcome(now, a, reply, ev)
}

// outcome sends a machine's reply and acts on its event.
func (s *shard) outcome(now time.Time, a *association, reply machine.Reply, ev machine.Event) {
	if reply.Kind != 0 {
		s.out.envelope(a, reply.Kind, reply.Body) //nolint:errcheck // a lost datagram: the client repeats what it answers
	}
	if reply.Kind == wire.KindClose && (ev.Kind == machine.EventClosed || ev.Kind == machine.EventRefused) {
		s.close(now, a, reply.Body)
	}
	if ev.Replaced != nil {
		s.supersede(a, ev)
	}
	switch ev.Kind {
	case machine.EventVerify:
		s.verify(now, a, ev.Token)
	case machine.EventResume:
		s.resume(now, a, ev.Hint)
	case machine.EventJoined:
		s.joined(now, a, ev)
	case machine.EventRenewed:
		s.record(now, a, audit.Renew, ev)
	case machine.EventAnswered:
		s.answered(now, a)
	case machine.EventStepUp:
		s.record(now, a, audit.StepUp, ev)
	case machine.EventFlagged:
		s.record(now, a, audit.Flag, ev)
	case machine.EventRefused:
		s.record(now, a, audit.Reject, ev)
		if a.player == nil {
			s.linger(now, a)
		}
	case machine.EventClosed:
		s.left(now, a, ev)
	case machine.EventCloseAgain:
		if a.ending != nil && now.Sub(a.ending.began) < closeTime {
			s.out.alert(a, record.CloseNotify[:])
		}
	}
}

// alert heeds an alert that has authenticated: the peer's end of the connection
// is gone. A session that can be resumed waits for its player.
func (s *shard) alert(now time.Time, a *association, alert []byte) {
	switch {
	case !isFinal(alert):
		return
	case a.ending != nil:
		s.answeredClose(a.ending)
		return
	case a.stays():
		s.out.alert(a, record.CloseNotify[:])
		s.out.mu.Lock()
		a.record.Wipe()
		s.out.mu.Unlock()
		return
	}
	_, ev := a.session.Disconnected()
	s.left(now, a, ev)
	a.ending.gone = true
}

// alertFatal is the level of an alert that ends the connection (RFC 5246 7.2).
const alertFatal = 2

// isFinal tells whether an alert ends the connection: a fatal one, or a
// close_notify. Others are warnings.
func isFinal(alert []byte) bool {
	return len(alert) == 2 && (alert[0] == alertFatal || record.IsCloseNotify(alert))
}

// repeatFlight answers a repeat of the client's last flight, which has
// authenticated: our own last flight was lost (RFC 6347 4.2.4).
func (s *shard) repeatFlight(now time.Time, a *association) {
	if a.flight == nil || now.Sub(a.flight.resent) < resendInterval {
		return
	}
	a.flight.resent = now
	s.out.raw(a.addr, func(dst []byte) ([]byte, error) { return a.flight.Resend(&a.record, dst) })
}
