package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// A session that `cnf` binds stays bound on other connections, servers and processes; and a
// certificate alone binds none.
func TestBoundStaysBound(t *testing.T) {
	certified := Channel{Exporter: channel.Exporter, HasCertificate: true, Thumbprint: [32]byte{7}}
	for name, become := range map[string]func(*dialogue) *dialogue{
		"at first":       func(d *dialogue) *dialogue { return d },
		"resumed":        func(d *dialogue) *dialogue { return d.resumesHere() },
		"from elsewhere": func(d *dialogue) *dialogue { return d.resumesOn(d.anotherServer(d.gate.config)) },
		"restarted":      func(d *dialogue) *dialogue { return d.restarts() },
	} {
		for _, bound := range []bool{false, true} {
			d := connectOnly(t, session.Config{MaxPerSubject: 1, FleetKeys: fleet(t)}, session.ClientConfig{}).connect(session.ClientConfig{}, "identity", certified)
			if bound {
				d.claims["identity"].HasThumbprint, d.claims["identity"].Thumbprint = true, certified.Thumbprint
			}
			d.getsConnectionID()
			d.join()
			d.exchangesData()
			d = become(d)
			for range 4 {
				d.waits(time.Second)
				d.tickServer()
			}
			if h := d.joinsOnAnotherDevice("another token").asksToJoin(); bound {
				h.refuses(audit.DropFull, wire.ReasonFull)
				d.exchangesData()
			} else if h.joins(); h.Replaced != d.server.Session() {
				t.Errorf("%s: %v gives way", name, h.Replaced)
			}
		}
	}
}
