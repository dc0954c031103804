package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/udp"
)

// restored are sessions of a shard's that another process has left.
type restored struct {
	shard *shard
	list  []*resume.Session
	made  time.Time // when they were saved
}

func (m restored) Deliver(now time.Time) {
	defer func() {
		if len(m.list) > 0 { // Join has panicked: the next turn has the rest
			m.shard.Post(m)
		}
	}()
	for len(m.list) > 0 {
		r := m.list[0]
		m.list = m.list[1:]
		m.restore(now, r)
	}
}

// restore goes on with one session.
func (m restored) restore(now time.Time, r *resume.Session) {
	s := m.shard
	defer r.Wipe()
	defer s.server.gate.Arrived(r.Name) // whatever comes of it
	c := &conn{}
	c.self.shard = s
	c.Init(c, r.ConnectionID)
	cause := machine.CauseTicket
	endpoint, ok := m.restoreLanes(now, r)
	switch {
	case !ok:
		cause = machine.CauseSessionLanes
	case !m.reaches(r.Addr): // its player comes back by ticket
	case c.Restore(s.Shard, m.flowOf(r), &record.State{
		InKey: r.InKey, InIV: r.InIV, OutKey: r.OutKey, OutIV: r.OutIV,
		Next: r.RecordNext + recordSkip, Failed: r.RecordFailed, Window: r.Records,
	}) == nil:
		cause = c.session.Restore(s.server.gate, now, r)
	}
	if cause != machine.CauseNone {
		if endpoint != nil {
			endpoint.Close(nil)
		}
		s.Drop(cause.Drop())
		s.server.audit.refusals.add(cause)
		s.server.audit.Record(audit.Event{
			Time: s.server.clock.at(now), Decision: audit.Reject, Reason: cause.Drop(), Cause: cause.String(),
			Issuer: r.Issuer, Subject: r.Subject, TokenID: r.Standing.TokenID, Prefix: prefixOf(udp.Flow{AddrPort: r.Addr}),
			Scope: r.Scope, Platform: r.Platform, Build: r.Build, Detail: "of a snapshot",
		})
		return
	}
	c.self.origin = OriginRestored
	if s.server.audit.traced {
		c.aside = &aside{conn: c, trace: newTraceID()}
	}
	if endpoint != nil {
		c.self.restoreMessages(endpoint)
	}
	c.Shard.Table.Adopt(now, &c.Conn)
	c.Former = nil // of several at one address each has been somewhere else
	c.join(now, machine.Reply{}, machine.Event{Kind: machine.EventResumed})
}
