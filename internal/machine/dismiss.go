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
	if !reason.Defined() {
		reason = wire.ReasonKicked
	}
	if c.session != nil {
		why := ticketsDrop(reason)
		if why == audit.DropNone {
			why = audit.DropTicket
		}
		c.session.terminate(reason, why)
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

// detailOf returns as much of a text as a CLOSE holds, in whole characters.
func detailOf(text string) []byte {
	text = strings.ToValidUTF8(text, "?")
	n := min(len(text), wire.MaxDetail)
	for n < len(text) && !utf8.RuneStart(text[n]) {
		n--
	}
	return []byte(text[:n])
}
