package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// Handle implements connUser: it hands a record's plaintext to the session, and does what that
// says.
func (a *association) Handle(now time.Time, waited time.Duration, plaintext []byte) {
	reply, ev := a.match.HandleLate(now, waited, plaintext)
	if ev.Enters != machine.EventNone {
		a.enter(now, ev.Enters)
	}
	if ev.Kind == machine.EventData && reply.Kind == 0 { // the usual case
		a.self.shard.handler.Receive(a.player, ev.Payload)
		return
	}
	a.Shard.Drop(ev.Drop)
	a.act(now, reply, ev)
}

// act sends a machine's reply and acts on its event.
func (a *association) act(now time.Time, reply machine.Reply, ev machine.Event) {
	if reply.Kind != 0 {
		a.send(reply.Kind, reply.Body) //nolint:errcheck // a lost datagram: the client repeats what it answers
	}
	if reply.Kind == wire.KindClose && (ev.Kind == machine.EventClosed || ev.Kind == machine.EventRefused) {
		a.repeatClose(now, reply.Body)
	}
	if ev.Replaced != nil {
		a.supersede(ev)
	}
	switch ev.Kind {
	case machine.EventVerify:
		a.verify(now, ev.Token)
	case machine.EventResume:
		a.resume(now, ev.Hint)
	case machine.EventJoined:
		a.join(now, ev)
	case machine.EventRenewed:
		a.audit(now, audit.Renew, ev)
	case machine.EventAnswered:
		a.move(now)
	case machine.EventStepUp:
		a.audit(now, audit.StepUp, ev)
	case machine.EventFlagged:
		a.audit(now, audit.Flag, ev)
	case machine.EventRefused:
		a.audit(now, audit.Reject, ev)
		if a.player == nil {
			a.linger(now)
		}
	case machine.EventClosed:
		a.leave(now, ev)
	case machine.EventCloseAgain:
		if a.ending != nil && now.Sub(a.ending.began) < closeTime {
			a.Shard.Out.Alert(&a.Conn, record.CloseNotify[:])
		}
	}
}

// Closed implements connUser: the peer's end of the connection is gone. A session that can be
// resumed waits for its player.
func (a *association) Closed(now time.Time) {
	switch {
	case a.ending != nil:
		a.ending.answered()
		return
	case a.stays():
		a.Shard.Out.Alert(&a.Conn, record.CloseNotify[:])
		a.Wipe()
		return
	}
	_, ev := a.match.Disconnected()
	a.leave(now, ev)
	a.ending.gone = true
}
