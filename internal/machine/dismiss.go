package machine

import (
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// Dismiss ends the session because the match puts its player out: wherever the session lives on this server by now, and
// with all of its tickets. The player is told reason and detail, which change nothing about that: as wire.ReasonKicked a
// reason that says nothing, 0 or one that is not defined, and of a detail the first wire.MaxDetail bytes. The reply is the
// CLOSE to send.
func (c *Conn) Dismiss(reason wire.Reason, detail string) (Reply, Event) {
	if !reason.Defined() {
		reason = wire.ReasonKicked
	}
	if c.session != nil {
		why := finality(reason)
		if why == audit.DropNone {
			why = audit.DropTicket
		}
		c.session.putOut(reason, why)
	}
	if c.state == closed {
		return Reply{}, Event{}
	}
	reply, ev := c.close(audit.DropState, reason)
	ev.Drop = audit.DropNone
	if reply.Kind != 0 {
		reply.Body = wire.CloseBody{Reason: reason, Detail: detailOf(detail)}.AppendTo(nil)
	}
	return reply, ev
}

// detailOf is as much of a text as a CLOSE has room for, in whole characters.
func detailOf(text string) []byte {
	text = strings.ToValidUTF8(text, "?")
	n := min(len(text), wire.MaxDetail)
	for n < len(text) && !utf8.RuneStart(text[n]) {
		n--
	}
	return []byte(text[:n])
}
