package transport

import (
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
)

// "A server that shuts down without handing its sessions on sends NOTICE of drain once, with the
// time 0, before the CLOSE." PROTOCOL.md 3.10
func TestShutdownAnnouncesItself(t *testing.T) {
	t.Parallel()
	for name, handedOn := range map[string]bool{"ended": false, "handed on": true} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				if handedOn {
					w.serve(w.fleet(t))
				} else {
					w.serve()
				}
				var events []ClientEventKind
				drains := 0
				c := w.dial(1, quietClient, func(config *ClientConfig) {
					config.OnEvent = func(e ClientEvent) {
						events = append(events, e.Kind)
						if e.Kind == EventNotice && e.Notice == wire.NoticeDrain {
							drains++
						}
					}
				})
				if err := w.server.Shutdown(w.Context()); err != nil {
					w.Error(err)
				}
				if handedOn {
					if drains != 0 {
						w.Errorf("%d notices to a player whose session goes on", drains)
					}
					return
				}
				w.closed(w.ending(c), wire.ReasonShutdown)
				if drains != 1 || events[len(events)-1] == EventNotice {
					w.Errorf("%d notices, events %v", drains, events)
				}
			})
		})
	}
}
