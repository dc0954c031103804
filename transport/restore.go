package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/udp"
)

// settleIn gives the sessions that takeOver has brought to the shards that their
// hints name; it is called once, when it is known how many shards there are.
func (s *Server) settleIn() {
	lists := make(map[*shard][]*resume.Session)
	for _, r := range s.restored {
		home := s.home(r.Hint)
		lists[home] = append(lists[home], r)
	}
	s.restored = nil
	for sh, list := range lists {
		sh.post(func(now time.Time) {
			for _, r := range list {
				sh.restore(now, r)
			}
		})
	}
}

// restore goes on with one session.
func (s *shard) restore(now time.Time, r *resume.Session) {
	defer r.Wipe()
	a := &association{shard: s, addr: s.flowOf(r), hint: r.Hint, place: unproven}
	a.session = &a.match
	drop := audit.DropTicket
	if a.record.Restore(&record.State{
		InKey: r.InKey, InIV: r.InIV, OutKey: r.OutKey, OutIV: r.OutIV,
		Next: r.RecordNext + recordSkip, Failed: r.RecordFailed, Window: r.Records,
	}) == nil {
		drop = a.match.Restore(s.server.gate, now, r)
	}
	if drop != audit.DropNone {
		s.drop(drop)
		s.server.config.Audit.Record(audit.Event{
			Time: s.server.clock.at(now), Decision: audit.Reject, Reason: drop, Version: version,
			Issuer: r.Issuer, Subject: r.Subject, TokenID: r.Standing.TokenID, Prefix: prefixOf(udp.Flow{AddrPort: r.Addr}),
			Scope: r.Scope, Platform: r.Platform, Build: r.Build, Detail: "of a snapshot",
		})
		return
	}
	s.adopt(now, a)
	s.joined(now, a, machine.Event{Kind: machine.EventResumed})
}
