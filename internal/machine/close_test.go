package machine

import (
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// "Each copy has a record number, and in a session a sequence, of its own." PROTOCOL.md 5.5. The
// first one ends the session; each of the others says that the peer has not been heard yet, and
// nothing but that.
func TestCopiesOfClose(t *testing.T) {
	for name, end := range map[string]struct {
		say     func(d *dialogue) []byte
		deliver func(d *dialogue, b []byte) heard
	}{
		"from the client": {func(d *dialogue) []byte { return d.clientSends(wire.KindClose, closeBody) }, (*dialogue).toServer},
		"from the server": {func(d *dialogue) []byte { return d.serverSends(wire.KindClose, closeBody) }, (*dialogue).toClient},
	} {
		t.Run(name, func(t *testing.T) {
			d := playWithTicket(t, session.Config{}, session.ClientConfig{})
			numbers := map[uint32]bool{}
			for i := range 4 {
				b := end.say(d)
				env, err := wire.Parse(b)
				if err != nil || numbers[env.Seq] {
					t.Fatalf("copy %d: %v, number %d", i, err, env.Seq)
				}
				numbers[env.Seq] = true
				want := EventCloseAgain
				if i == 0 {
					want = EventClosed
				}
				if h := end.deliver(d, b); h.Event.Kind != want || h.kind != 0 {
					t.Errorf("copy %d: %+v", i, h)
				}
			}
			if d.server.Session() == nil || d.gate.Len() != 0 && name == "from the client" {
				t.Error("it has not ended")
			}
		})
	}
}

// Only a CLOSE of this session is one more: not another's, not one that does not parse, no other
// kind.
func TestNoCopiesOfClose(t *testing.T) {
	d := playWithTicket(t, session.Config{}, session.ClientConfig{})
	data, longer := d.clientSends(wire.KindData, closeBody), d.clientSends(wire.KindClose, closeBody[:4])
	other := edit(d.clientSends(wire.KindClose, closeBody), func(e *wire.Envelope) { e.Session++ })
	d.toServer(d.clientSends(wire.KindClose, closeBody))
	for i, b := range [][]byte{data, longer, other} {
		if h := d.toServer(b); h.Event.Kind != EventNone || h.kind != 0 || h.Drop == 0 {
			t.Errorf("%d: %+v", i, h)
		}
	}
}
