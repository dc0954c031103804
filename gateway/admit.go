package gateway

import (
	"math"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// verdictNone is in place of a verdict on a player who has left.
const verdictNone = math.MaxUint32

// authorize returns a session.Config.Authorize that lets nobody new in while nobody can play, and asks
// next of all else. A session that lives here goes on whatever the backend does.
func (g *Gateway) authorize(next func(*session.Admission) error) func(*session.Admission) error {
	return func(a *session.Admission) error {
		if err := g.admits(a.Why); err != nil {
			return err
		}
		if next != nil {
			return next(a)
		}
		if !a.ScopeAgrees() {
			return session.Refusal(session.ReasonScope)
		}
		return nil
	}
}

// admits returns why nobody is admitted for this purpose at present.
func (g *Gateway) admits(why session.Purpose) error {
	if why != session.Opening && why != session.ResumingElsewhere {
		return nil
	}
	switch {
	case why == session.Opening && g.draining.Load():
		return session.Refusal(session.ReasonShutdown)
	case g.backend.Ready() != nil:
		g.counts.unavailable.Add(1)
		return session.Refusal(session.ReasonUnavailable)
	case why == session.Opening && g.players.Load() >= int64(g.limits.Load().MaxPlayers):
		g.counts.full.Add(1)
		return session.Refusal(session.ReasonFull)
	}
	return nil
}

// inspect returns a session.Config.Inspect that gives the verdicts of the backend, and those of next.
// While none waits it costs one load.
func (g *Gateway) inspect(next func(session.Session, []byte) policy.Verdict) func(session.Session, []byte) policy.Verdict {
	return func(s session.Session, payload []byte) policy.Verdict {
		var v policy.Verdict
		if g.judged.Load() > 0 {
			v = g.verdict(s.ID())
		}
		if next != nil {
			v = max(v, next(s, payload))
		}
		return v
	}
}

// verdict takes the verdict that waits for the player of a session.
func (g *Gateway) verdict(id uint32) policy.Verdict {
	p := g.table.bySession(id)
	if p == nil {
		return policy.VerdictAllow
	}
	for {
		v := p.verdict.Load()
		if v == 0 || v == verdictNone {
			return policy.VerdictAllow
		}
		if p.verdict.CompareAndSwap(v, 0) {
			g.judged.Add(-1)
			return policy.Verdict(v)
		}
	}
}
