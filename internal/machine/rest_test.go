package machine

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// A Conn that has rested goes on where it was, in both directions and over a renewal.
func TestDropExpandedKeys(t *testing.T) {
	d := play(t, session.Config{}, session.ClientConfig{})
	rest := func() {
		d.server.DropHandleKey()
		d.server.DropAppendKey(true)
		if d.server.current.in.cipher != nil || d.server.sending.Load().out.cipher != nil {
			t.Fatal("a key stays expanded")
		}
	}
	talk := func() {
		t.Helper()
		if ev := d.toServer(d.clientSends(wire.KindData, "up")).Event; string(ev.Payload) != "up" {
			t.Fatalf("server: %v", ev.Drop)
		}
		if ev := d.toClient(d.serverSends(wire.KindData, "down")).Event; string(ev.Payload) != "down" {
			t.Fatalf("client: %v", ev.Drop)
		}
	}
	talk()
	rest()
	talk()
	d.waits(time.Second)
	d.mints("second")
	renewed := d.present(d.renew("second")...)
	rest()
	d.toClient(renewed.envelope)
	talk()
	rest()
	talk()
	if d.server.current == &d.server.first || d.server.first.out != (cmac{}) {
		t.Errorf("epoch %d, and the first one's sending key is still there", d.server.current.number)
	}
}
