package transport

import (
	"crypto/rand"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/udp"
)

// aside is what a connection has beside the path of a datagram: nil where nobody reads trace ids and
// the player is at home. Then its methods do nothing.
type aside struct {
	conn     *conn     // constant
	left     *udp.Flow // proven before the player left its network, nil at home: a step up's NOTICE goes there too
	trace    TraceID   // of the exchange by which the session came to this connection; zero where nobody reads it
	exchange *exchange // under way, nil without
}

// exchange is an Exchange under way: at most a handshake, what follows, and a verification.
type exchange struct {
	trace    TraceID
	steps    [3]Step
	n        int
	answered bool // the verification is over: what happens now is its doing
}

// add adds a step. One without an end is under way.
func (x *exchange) add(s Step) {
	if x.n < len(x.steps) {
		x.steps[x.n] = s
		x.n++
	}
}

// resumes reports whether a resumption is under way.
func (x *exchange) resumes() bool {
	for i := range x.steps[:x.n] {
		if x.steps[i].Kind == StepResume && x.steps[i].End.IsZero() {
			return true
		}
	}
	return false
}

// newTraceID draws an id. It costs 16 random bytes, and is drawn only where somebody reads it.
func newTraceID() (id TraceID) {
	rand.Read(id[:]) // never fails, and is never all zero
	return id
}

// newAside begins the exchange of a new connection with its handshake. It returns nil where nobody
// reads trace ids.
func newAside(c *conn, began, now time.Time) *aside {
	s := c.self.shard.server
	if !s.audit.traced {
		return nil
	}
	x := &exchange{trace: newTraceID()}
	x.add(Step{Kind: StepHandshake, Start: s.clock.at(began), End: s.clock.at(now), Outcome: OutcomeOK})
	return &aside{conn: c, trace: x.trace, exchange: x}
}

// begin is called when a datagram asks for something: that is the next step, of a renewal the first.
// A resumption that has begun with the verification of a token goes on.
func (a *aside) begin(now time.Time, kind StepKind) {
	if a == nil || !a.conn.self.shard.server.audit.traced {
		return
	}
	if a.exchange == nil {
		a.exchange = &exchange{trace: newTraceID()}
	}
	if a.exchange.resumes() {
		return
	}
	a.exchange.add(Step{Kind: kind, Start: a.conn.self.shard.server.clock.at(now.Add(-a.conn.Shard.Waited()))})
}

// presents begins what an identity token is shown for: a renewal, a sign-in, or beside a ticket a
// resumption.
func (a *aside) presents(now time.Time, ticket bool) {
	switch {
	case a == nil:
	case a.conn.player != nil:
		a.begin(now, StepRenewal)
	case ticket:
		a.begin(now, StepResume)
	default:
		a.begin(now, StepSignIn)
	}
}

// verified adds a verification that took from began to ended.
func (a *aside) verified(began, ended time.Time, err error) {
	x := a.underWay()
	if x == nil {
		return
	}
	x.answered = true
	if began.IsZero() {
		return // there was no room for it
	}
	at := a.conn.self.shard.server.clock.at
	step := Step{Kind: StepVerification, Start: at(began), End: at(ended)}
	if err == nil {
		step.Outcome = OutcomeOK
	}
	x.add(step)
}

// underWay returns the exchange under way, nil without.
func (a *aside) underWay() *exchange {
	if a == nil {
		return nil
	}
	return a.exchange
}

// refused ends an exchange, if one is under way, as an event says that refuses something.
func (a *aside) refused(now time.Time, ev machine.Event) {
	if x := a.underWay(); x != nil && x.n == 1 && x.steps[0].Kind == StepHandshake { // HELLO itself is refused
		kind := StepSignIn
		if ev.Ticket {
			kind = StepResume
		}
		a.begin(now, kind)
	}
	a.cut(ev)
}

// cut ends an exchange, if one is under way, whose connection or session ends.
func (a *aside) cut(ev machine.Event) {
	outcome := OutcomeLeft
	if ev.Drop != audit.DropNone && ev.Drop != audit.DropState {
		outcome = ev.Drop.String()
	}
	a.finish(outcome, ev.Cause.String())
}

// finish ends an exchange, if one is under way.
func (a *aside) finish(outcome, cause string) {
	x := a.underWay()
	if x == nil {
		return
	}
	a.exchange = nil
	s := a.conn.self.shard.server
	if s.config.OnExchange == nil {
		return
	}
	now := s.clock.at(s.clock.now())
	for i := range x.steps[:x.n] {
		step := &x.steps[i]
		if step.End.IsZero() {
			step.End = now
		}
		if step.Outcome == "" {
			step.Outcome, step.Cause = outcome, cause
		}
	}
	s.config.OnExchange(Exchange{Trace: x.trace, Steps: x.steps[:x.n:x.n]})
}

// traceID is what the audit says of a connection's exchange.
func (a *aside) traceID() string {
	switch x := a.underWay(); {
	case a == nil:
		return ""
	case x != nil && x.answered:
		return x.trace.String()
	}
	return a.trace.String()
}

// shakeFailed reports a handshake that has failed, and returns its trace id for the audit.
func (s *Server) shakeFailed(began, now time.Time, kind string) string {
	if !s.audit.traced {
		return ""
	}
	id := newTraceID()
	if s.config.OnExchange != nil {
		s.config.OnExchange(Exchange{Trace: id, Steps: []Step{{
			Kind: StepHandshake, Start: s.clock.at(began), End: s.clock.at(now), Outcome: audit.DropHandshake.String(), Cause: kind,
		}}})
	}
	return id.String()
}
