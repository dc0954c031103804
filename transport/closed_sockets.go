package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
)

// closedSockets tells the audit, once each, when somebody else has closed the socket or the carrier that the
// server was given: nobody is heard any more, as if all players had fallen silent. It belongs to the
// first shard's turn.
type closedSockets struct{ socket, carrier bool }

func (d *closedSockets) check(s *Server, now time.Time) {
	socket, carrier := s.endpoint.Deaf()
	if socket && !d.socket {
		alarmOfSocket(s, now, "Config.Conn has been closed by somebody else: nobody is heard by UDP any more; close the server, and make another one")
	}
	if carrier && !d.carrier {
		alarmOfSocket(s, now, "Config.Also has been closed by somebody else: nobody is heard by it any more; close the server, and make another one")
	}
	d.socket, d.carrier = socket, carrier
}

func alarmOfSocket(s *Server, now time.Time, detail string) {
	s.audit.Record(audit.Event{Time: now, Decision: audit.Alarm, Detail: detail})
}
