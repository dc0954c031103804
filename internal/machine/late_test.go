package machine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
)

// arrivesLate delivers an envelope that has waited for the server to read it.
func (d *dialogue) arrivesLate(waited time.Duration, envelope []byte) heard {
	d.Helper()
	r, ev := d.server.HandleLate(d.now, waited, slices.Clone(envelope))
	return d.heard(r, ev, d.server.Append)
}

// "What counts is when a datagram arrived, not when the server came to read it."
// PROTOCOL.md 4.10
func TestBehaviourByArrival(t *testing.T) {
	config := session.Config{Behaviour: policy.BehaviourConfig{Flag: 3, Limit: 5, Revoke: 7}}
	d := play(t, config, session.ClientConfig{})
	d.waits(20 * time.Second)
	for i := range 40 {
		input := fmt.Sprint(i)
		d.arrivesLate(20*time.Second-time.Duration(i)*time.Second/2, d.clientSends(wire.KindData, input)).delivers(input)
	}
	d = play(t, config, session.ClientConfig{})
	d.waits(20 * time.Second)
	for i := range 8 {
		h := d.arrivesLate(20*time.Second-time.Duration(i)*time.Second/16, d.clientSends(wire.KindData, "bot"))
		if i == 7 {
			h.ends(audit.DropRate, wire.ReasonRate)
		}
	}
}

// A session's life is judged by the time of arrival, too.
func TestLifeByArrival(t *testing.T) {
	for waited, lives := range map[time.Duration]bool{0: false, time.Second - 1: false, time.Second: false, time.Second + 1: true} {
		d := play(t, session.Config{}, session.ClientConfig{})
		d.now = begin.Add(tokenLife + time.Second)
		h := d.arrivesLate(waited, d.clientSends(wire.KindData, "input"))
		if lives {
			h.delivers("input")
		} else {
			h.ends(audit.DropExpired, wire.ReasonExpired)
		}
	}
}
