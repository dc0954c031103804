package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "If a session lives nowhere on the server (section 8.3) there is only the HELLO to refuse, and
// its ticket stays good." PROTOCOL.md 5.3. So it is where the session has waited for its first
// datagram on another connection meanwhile, however that one ends.
func TestRefusedWhileWaitingKeepsTicket(t *testing.T) {
	for name, end := range map[string]func(*dialogue){
		"by its clock":   func(d *dialogue) { d.tickServer() },
		"a close_notify": func(d *dialogue) { d.server.Disconnected() },
		"late": func(d *dialogue) {
			d.pass(6 * time.Second)
			d.tickServer()
		},
		"a datagram": func(d *dialogue) { d.toServer(d.ticks(wire.KindPing)[0]) },
		"forgotten":  func(*dialogue) {},
	} {
		t.Run(name, func(t *testing.T) {
			d := stay(t, session.Config{}, session.ClientConfig{})
			refusing := false
			g := d.sister(session.Config{Authorize: func(*session.Admission) error {
				if refusing {
					return session.Refusal(wire.ReasonScope)
				}
				return nil
			}})
			first := d.again(g, home)
			first.welcomed(first.shows().resumes())
			refusing = true
			if h := d.again(g, home).shows(); h.Reason != wire.ReasonScope {
				t.Fatal(h.Reason)
			}
			end(first)
			refusing = false
			d.now = first.now
			r := d.again(g, home)
			r.welcomed(r.shows())
			r.settles()
			r.talks()
		})
	}
}
