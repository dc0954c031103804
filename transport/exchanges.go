package transport

import (
	"crypto/rand"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/udp"
)

// aside is what a connection has beside the path of a datagram: nil where nobody reads trace ids and
// the player is at home.
type aside struct {
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

// shake begins the exchange of a new connection with its handshake.
func (c *conn) shake(began, now time.Time) {
	s := c.self.shard.server
	if !s.traced {
		return
	}
	x := &exchange{trace: newTraceID()}
	x.add(Step{Kind: StepHandshake, Start: s.clock.at(began), End: s.clock.at(now), Outcome: OutcomeOK})
	c.aside = &aside{trace: x.trace, exchange: x}
}

// begin is called when a datagram asks for something: that is the next step, of a renewal the first.
// A resumption that has begun with the verification of a token goes on.
func (c *conn) begin(now time.Time, kind StepKind) {
	s := c.self.shard.server
	if !s.traced || c.aside == nil {
		return
	}
	if c.aside.exchange == nil {
		c.aside.exchange = &exchange{trace: newTraceID()}
	}
	if c.aside.exchange.resumes() {
		return
	}
	c.aside.exchange.add(Step{Kind: kind, Start: s.clock.at(now.Add(-c.Shard.Waited()))})
}

// presents begins what an identity token is shown for: a renewal, a sign-in, or beside a ticket a
// resumption.
func (c *conn) presents(now time.Time, ticket bool) {
	switch {
	case c.player != nil:
		c.begin(now, StepRenewal)
	case ticket:
		c.begin(now, StepResume)
	default:
		c.begin(now, StepSignIn)
	}
}

// verifiedStep adds a verification that took from began to ended.
func (c *conn) verifiedStep(began, ended time.Time, err error) {
	x := c.underWay()
	if x == nil {
		return
	}
	x.answered = true
	if began.IsZero() {
		return // there was no room for it
	}
	at := c.self.shard.server.clock.at
	step := Step{Kind: StepVerification, Start: at(began), End: at(ended)}
	if err == nil {
		step.Outcome = OutcomeOK
	}
	x.add(step)
}

// underWay returns the exchange under way, nil without.
func (c *conn) underWay() *exchange {
	if c.aside == nil {
		return nil
	}
	return c.aside.exchange
}

// refused ends an exchange, if one is under way, as an event says that refuses something.
func (c *conn) refused(now time.Time, ev machine.Event) {
	if x := c.underWay(); x != nil && x.n == 1 && x.steps[0].Kind == StepHandshake { // HELLO itself is refused
		kind := StepSignIn
		if ev.Ticket {
			kind = StepResume
		}
		c.begin(now, kind)
	}
	c.cut(ev)
}

// cut ends an exchange, if one is under way, whose connection or session ends.
func (c *conn) cut(ev machine.Event) {
	outcome := OutcomeLeft
	if ev.Drop != audit.DropNone && ev.Drop != audit.DropState {
		outcome = ev.Drop.String()
	}
	c.finish(outcome, ev.Cause.String())
}

// finish ends an exchange, if one is under way.
func (c *conn) finish(outcome, cause string) {
	x := c.underWay()
	if x == nil {
		return
	}
	c.aside.exchange = nil
	s := c.self.shard.server
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
func (c *conn) traceID() string {
	switch x := c.underWay(); {
	case c.aside == nil:
		return ""
	case x != nil && x.answered:
		return x.trace.String()
	}
	return c.aside.trace.String()
}

// shakeFailed reports a handshake that has failed, and returns its trace id for the audit.
func (s *Server) shakeFailed(began, now time.Time, kind string) string {
	if !s.traced {
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
