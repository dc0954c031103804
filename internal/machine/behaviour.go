package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
)

// behaves is step 10: "rate and behaviour allow it". A datagram without a payload of the game
// changes no game state.
func (c *Conn) behaves(arrived time.Time, env *wire.Envelope) audit.Drop {
	if env.Kind == wire.KindFrames {
		return c.checkFrames(env.Body)
	}
	payload, cost := env.Body, 0
	if env.Kind == wire.KindBearer {
		b, _ := wire.ParseBearerBody(env.Body) // verifyBearer has parsed it
		payload = b.Payload
	}
	game := env.Kind == wire.KindData || env.Kind == wire.KindBearer
	if game {
		cost = 1
		if c.gate.config.Cost != nil {
			cost = c.gate.config.Cost(payload)
		}
	}
	verdict := c.observe(arrived, len(payload), cost)
	if inspect := c.gate.config.Inspect; inspect != nil && game && verdict <= policy.VerdictFlag {
		verdict = max(verdict, inspect(c.session, payload))
	}
	return c.act(verdict)
}

// observe counts a datagram's bytes and state changes, and judges it.
func (c *Conn) observe(arrived time.Time, bytes, cost int) policy.Verdict {
	verdict := c.behaviour.Observe(arrived, bytes, cost)
	if a := c.session.shared.Load(); a != nil {
		if v := a.observe(arrived, cost); !c.behaviour.Calm() { // a calm session is not at fault
			verdict = max(verdict, v)
		}
	}
	return verdict
}

// act does what a verdict says.
func (c *Conn) act(verdict policy.Verdict) audit.Drop {
	switch verdict {
	case policy.VerdictAllow:
		return audit.DropNone
	case policy.VerdictFlag:
		c.flag(fingerprint.PartNone)
		return audit.DropNone
	case policy.VerdictRevoke:
		c.excess = true
	}
	return audit.DropRate
}
