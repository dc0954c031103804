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
			d.waits(6 * time.Second)
			d.tickServer()
		},
		"a datagram": func(d *dialogue) { d.toServer(d.clientTick(wire.KindPing)[0]) },
		"forgotten":  func(*dialogue) {},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			refusing := false
			g := d.anotherServer(session.Config{Authorize: func(*session.Admission) error {
				if refusing {
					return session.Refusal(wire.ReasonScope)
				}
				return nil
			}})
			first := d.reconnects(g, home)
			first.takesWelcome(first.showsTicket().resumes())
			refusing = true
			if h := d.reconnects(g, home).showsTicket(); h.Reason != wire.ReasonScope {
				t.Fatal(h.Reason)
			}
			end(first)
			refusing = false
			d.now = first.now
			r := d.reconnects(g, home)
			r.takesWelcome(r.showsTicket())
			r.sendsFirstDatagram()
			r.exchangesData()
		})
	}
}
