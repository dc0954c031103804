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
}

func (m restored) Deliver(now time.Time) {
	for _, r := range m.list {
		m.shard.restore(now, r)
	}
}

// restore goes on with one session.
func (s *shard) restore(now time.Time, r *resume.Session) {
	defer r.Wipe()
	c := &conn{}
	c.self.shard = s
	c.Init(c, r.ConnectionID)
	drop := audit.DropTicket
	if c.Restore(s.Shard, s.flowOf(r), &record.State{
		InKey: r.InKey, InIV: r.InIV, OutKey: r.OutKey, OutIV: r.OutIV,
		Next: r.RecordNext + recordSkip, Failed: r.RecordFailed, Window: r.Records,
	}) == nil {
		drop = c.session.Restore(s.server.gate, now, r)
	}
	if drop != audit.DropNone {
		s.Drop(drop)
		s.server.config.Audit.Record(audit.Event{
			Time: s.server.clock.at(now), Decision: audit.Reject, Reason: drop, Version: version,
			Issuer: r.Issuer, Subject: r.Subject, TokenID: r.Standing.TokenID, Prefix: prefixOf(udp.Flow{AddrPort: r.Addr}),
			Scope: r.Scope, Platform: r.Platform, Build: r.Build, Detail: "of a snapshot",
		})
		return
	}
	c.Shard.Table.Adopt(now, &c.Conn)
	c.join(now, machine.Event{Kind: machine.EventResumed})
}
