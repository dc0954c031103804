package transport

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
)

// auditing is what a server tells its operator: its decisions, and how many refusals of each cause
// there were.
type auditing struct {
	sink      audit.Sink // of Config, and log; constant
	clock     *clock     // constant
	log       *audit.Log // nil without Config.Logger; constant
	traced    bool       // somebody reads trace ids; constant
	feedLines *feedLines // constant
	refusals  causeCounts
}

// init begins as a configuration says.
func (l *auditing) init(c *Config, clock *clock) {
	l.sink, l.clock, l.feedLines = c.Audit, clock, newFeedLines()
	_, unread := c.Audit.(discard)
	l.traced = !unread || c.OnExchange != nil
	if c.Logger != nil {
		l.log = audit.NewLog(c.Logger)
		l.sink = audit.Tee(c.Audit, l.log)
	}
}

// version is what an audit record says about who made it.
var version = fmt.Sprint("sallyport protocol ", wire.Version)

// Record implements audit.Sink.
func (l *auditing) Record(e audit.Event) {
	e.Version = version
	l.sink.Record(e)
}

// operator records a decision of the operator or the match: what it is about, how many
// sessions it has ended, and a note.
func (l *auditing) operator(e audit.Event, what string, ended int, note ...string) {
	e.Detail = fmt.Sprintf("%s, ended %d", what, ended)
	for _, n := range note {
		if n != "" {
			e.Detail += ": " + n
		}
	}
	l.now(e)
}

// now records what is no matter of one connection, as of now.
func (l *auditing) now(e audit.Event) {
	e.Time = l.clock.at(l.clock.now())
	l.Record(e)
}

// flood tells the audit when a flood of strangers' datagrams begins and when it
// is over: two records, however long it lasts.
func (l *auditing) flood(now time.Time, begins bool) {
	detail := "strangers' datagrams flood the server"
	if !begins {
		detail = "the flood of strangers' datagrams is over"
	}
	l.Record(audit.Event{
		Time: l.clock.at(now), Decision: audit.Flood, Reason: audit.DropBudget, Detail: detail,
	})
}

// audit records a trust decision about a connection's player.
func (s *shard) audit(now time.Time, a *conn, d audit.Decision, ev machine.Event) {
	e := s.decision(now, a, d)
	e.Reason, e.Cause, e.Detail = ev.Drop, ev.Cause.String(), string(ev.Payload)
	if d == audit.Reject {
		s.server.audit.refusals.add(ev.Cause)
	}
	if d == audit.Replace {
		e.Previous = s.successor
	}
	if ev.Part != fingerprint.PartNone {
		e.Part = ev.Part.String()
	}
	if c := ev.Claims; c != nil { // of the token that the decision is about
		e.Issuer, e.Subject, e.TokenID, e.Scope, e.Platform, e.Build = c.Issuer, c.Subject, c.ID, c.Scope, c.Platform, c.Build
	}
	s.server.audit.Record(e)
}

// decision is what every record about a connection's player says.
func (s *shard) decision(now time.Time, c *conn, d audit.Decision) audit.Event {
	e := audit.Event{Time: s.server.clock.at(now), Decision: d, Prefix: prefixOf(c.Addr), Trace: c.aside.traceID()}
	if sess := c.session.Session(); sess != nil {
		f := sess.Fingerprint()
		e.Issuer, e.Subject, e.TokenID = sess.Issuer(), sess.Subject(), sess.TokenID()
		e.Session, e.Scope, e.Platform, e.Build = sess.ID(), sess.Scope(), f.Platform, f.Build
	}
	return e
}
