package machine

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
)

// behaves is step 10: "rate and behaviour allow it". A datagram without a payload of the game
// changes no game state.
func (c *Conn) behaves(arrived time.Time, env *wire.Envelope) audit.Drop {
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
	verdict := c.behaviour.Observe(arrived, len(payload), cost)
	if a := c.session.shared.Load(); a != nil {
		if v := a.observe(arrived, cost); !c.behaviour.Calm() { // a calm session is not at fault
			verdict = max(verdict, v)
		}
	}
	if inspect := c.gate.config.Inspect; inspect != nil && game && verdict <= policy.VerdictFlag {
		verdict = max(verdict, inspect(c.session, payload))
	}
	switch verdict {
	case policy.VerdictAllow:
		return audit.DropNone
	case policy.VerdictFlag:
		c.flag(policy.PartNone)
		return audit.DropNone
	case policy.VerdictRevoke:
		c.excess = true
	}
	return audit.DropRate
}
