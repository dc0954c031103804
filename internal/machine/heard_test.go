package machine

import (
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// heard is what a machine returned for an envelope. Its methods check an expectation and return it.
type heard struct {
	testing.TB
	Event
	kind     wire.Kind // of the reply, 0 if there is none
	body     []byte
	envelope []byte // the reply as it was sent
}

func (h heard) is(kind EventKind, drop audit.Drop, reply wire.Kind) heard {
	h.Helper()
	if h.Event.Kind != kind || h.Drop != drop || h.kind != reply {
		h.Fatalf("event %v, drop %v, reply %v; want event %v, drop %v, reply %v",
			h.Event.Kind, h.Drop, h.kind, kind, drop, reply)
	}
	return h
}

func (h heard) drops(want audit.Drop) { h.Helper(); h.is(EventNone, want, 0) }
func (h heard) nothing()              { h.Helper(); h.drops(audit.DropNone) }
func (h heard) verifies() heard       { h.Helper(); return h.is(EventVerify, audit.DropNone, 0) }
func (h heard) renews() heard         { h.Helper(); return h.is(EventRenewed, audit.DropNone, h.kind) }

func (h heard) says(k wire.Kind) heard {
	h.Helper()
	return h.is(EventNone, audit.DropNone, k)
}

// joins expects EventJoined, with WELCOME from the server.
func (h heard) joins() heard { h.Helper(); return h.is(EventJoined, audit.DropNone, h.kind) }

// resumes expects EventResumed: the session has lived elsewhere.
func (h heard) resumes() heard {
	h.Helper()
	return h.is(EventResumed, audit.DropNone, wire.KindWelcome)
}

func (h heard) delivers(payload string) {
	h.Helper()
	if h.is(EventData, audit.DropNone, 0); string(h.Payload) != payload {
		h.Fatalf("payload %q, want %q", h.Payload, payload)
	}
}

// ends expects the end of a session that the client is told.
func (h heard) ends(drop audit.Drop, reason wire.Reason) heard {
	h.Helper()
	return h.is(EventClosed, drop, wire.KindClose).because(reason)
}

// closesSilently expects the end of a connection to which its session has not moved, without a
// reply.
func (h heard) closesSilently(drop audit.Drop) { h.Helper(); h.is(EventClosed, drop, 0) }

// refuses is CLOSE in answer to a HELLO. Each refusal has a cause.
func (h heard) refuses(drop audit.Drop, reason wire.Reason) heard {
	h.Helper()
	if h.Cause == CauseNone || h.Cause.Drop() != drop && h.Cause != CauseMatch {
		h.Errorf("cause %q, want one of drop %v", h.Cause, drop)
	}
	return h.is(EventRefused, drop, wire.KindClose).because(reason)
}

// closes is a CLOSE that the client has understood.
func (h heard) closes(reason wire.Reason) {
	h.Helper()
	if h.is(EventClosed, audit.DropNone, 0); h.Reason != reason {
		h.Fatalf("reason %v, want %v", h.Reason, reason)
	}
}

// because looks at the CLOSE of the reply, and at the event.
func (h heard) because(reason wire.Reason) heard {
	h.Helper()
	m, err := wire.ParseCloseBody(h.body)
	if err != nil || m.Reason != reason || h.Reason != reason {
		h.Fatalf("CLOSE %v, event %v, %v; want %v", m.Reason, h.Reason, err, reason)
	}
	return h
}
