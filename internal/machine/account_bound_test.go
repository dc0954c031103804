package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// What a session is bound to by `cnf` it stays bound to on other connections, servers and processes; and a certificate alone
// binds none.
func TestBoundStaysBound(t *testing.T) {
	certified := Channel{Exporter: channel.Exporter, HasCertificate: true, Thumbprint: [32]byte{7}}
	for name, become := range map[string]func(*dialogue) *dialogue{
		"at first":       func(d *dialogue) *dialogue { return d },
		"resumed":        func(d *dialogue) *dialogue { return d.moves() },
		"from elsewhere": func(d *dialogue) *dialogue { return d.travels(d.sister(d.gate.config)) },
		"restarted":      func(d *dialogue) *dialogue { return d.restart() },
	} {
		for _, bound := range []bool{false, true} {
			d := meet(t, session.Config{MaxPerSubject: 1, FleetKeys: fleet(t)}, session.ClientConfig{}).connect(session.ClientConfig{}, "identity", certified)
			if bound {
				d.claims["identity"].HasThumbprint, d.claims["identity"].Thumbprint = true, certified.Thumbprint
			}
			d.arrive()
			d.join()
			d.talks()
			d = become(d)
			for range 4 {
				d.pass(time.Second)
				d.tickServer()
			}
			if h := d.another("another token").asksToJoin(); bound {
				h.refuses(audit.DropFull, wire.ReasonFull)
				d.talks()
			} else if h.joins(); h.Replaced != d.server.Session() {
				t.Errorf("%s: %v gives way", name, h.Replaced)
			}
		}
	}
}
