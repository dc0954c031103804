package machine

import (
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// Dismiss ends the session because the match removes its player: on whichever connection of this
// server the session lives by now, with all of its tickets. The client receives reason and detail.
// A reason that is 0 or not defined is sent as wire.ReasonKicked, and detail is cut to
// wire.MaxDetail bytes. The reply is the CLOSE to send.
func (c *Conn) Dismiss(reason wire.Reason, detail string) (Reply, Event) {
	return c.dismiss(reason, detail, (*Session).terminate)
}

// PutOut ends the session as Dismiss does, with its next datagram. It is for a server that may not
// call Dismiss any more, and is safe for concurrent use.
func (s *Session) PutOut(reason wire.Reason) { putOut(s, reason, (*Session).terminate) }

// putOut terminates a session whose player the match removes, and returns the reason to send.
func putOut(s *Session, reason wire.Reason, terminate func(*Session, wire.Reason, audit.Drop, Cause) bool) wire.Reason {
	if !reason.Defined() {
		reason = wire.ReasonKicked
	}
	if s != nil {
		why := ticketsDrop(reason)
		if why == audit.DropNone {
			why = audit.DropTicket
		}
		terminate(s, reason, why, CauseMatch)
	}
	return reason
}

// dismiss is Dismiss, by a way to terminate the session.
func (c *Conn) dismiss(reason wire.Reason, detail string, terminate func(*Session, wire.Reason, audit.Drop, Cause) bool) (Reply, Event) {
	reason = putOut(c.session, reason, terminate)
	if c.state == closed {
		return Reply{}, Event{}
	}
	reply, ev := c.close(audit.DropState, reason)
	ev.Drop, ev.Cause, ev.Payload = audit.DropNone, CauseMatch, []byte(detail)
	if reply.Kind != 0 {
		reply = closeWith(reason, 0, detail)
	}
	return reply, ev
}

// closeDetail returns as much of a text as a CLOSE holds, in whole characters.
func closeDetail(text string) []byte {
	text = strings.ToValidUTF8(text, "?")
	n := min(len(text), wire.MaxDetail)
	for n < len(text) && !utf8.RuneStart(text[n]) {
		n--
	}
	return []byte(text[:n])
}
