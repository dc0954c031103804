package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/netsim"
)

// midway are the rows of docs/troubleshooting.md about a match that stops: what happens to the server r of
// a player who plays, and the server that there is afterwards, nil for none. again has servers share fleet
// keys and a snapshot.
var midway = map[string]func(w *world, again func(*Config)) *running{
	"The server is killed and does not come back": func(w *world, _ func(*Config)) *running {
		w.kill(w.underWay())
		return nil
	},
	"The server is killed, and the next one has other fleet keys": func(w *world, _ func(*Config)) *running {
		w.kill(w.underWay())
		return w.revive()
	},
	"The server is killed, and the next one has its fleet keys": func(w *world, again func(*Config)) *running {
		w.kill(w.underWay(again))
		return w.revive(again)
	},
	"The server shuts down, and the next one has its snapshot": func(w *world, again func(*Config)) *running {
		r := w.underWay(again)
		w.end(r, r.shutdown)
		return w.revive(again)
	},
	"The server shuts down, and the next one has its snapshot and other lanes": func(w *world, again func(*Config)) *running {
		r := w.run(again, allLanes)
		w.player = w.stay(1, withLanes)
		time.Sleep(5 * time.Second)
		w.end(r, r.shutdown)
		return w.revive(again)
	},
	"The server shuts down, and cannot write its snapshot": func(w *world, again func(*Config)) *running {
		r := w.underWay(again)
		if err := os.RemoveAll(filepath.Dir(r.config.Snapshot)); err != nil {
			w.Fatal(err)
		}
		w.end(r, func() error {
			if err := r.shutdown(); !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("want os.ErrNotExist, not %w", err)
			}
			return nil
		})
		return w.revive()
	},
	"The server shuts down, without a snapshot": func(w *world, _ func(*Config)) *running {
		r := w.underWay()
		w.end(r, r.shutdown)
		return w.revive()
	},
	"The server's machine cannot be reached for ten seconds": func(w *world, _ func(*Config)) *running {
		r := w.underWay()
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		time.Sleep(10 * time.Second)
		w.net.SetImpairment(netsim.Impairment{})
		return r
	},
	"The server's machine cannot be reached any more": func(w *world, _ func(*Config)) *running {
		r := w.underWay()
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		return r
	},
}

// underWay makes a server, to which a player comes who has played for a while.
func (w *world) underWay(configure ...func(*Config)) *running {
	r := w.run(configure...)
	w.player = w.stay(1)
	time.Sleep(5 * time.Second)
	return r
}

// kill ends a server that has no time to say so.
func (w *world) kill(r *running) {
	w.net.Tap(func(_, _ netip.AddrPort, _ []byte) bool { return false })
	w.end(r, r.Close)
}

// revive makes the next server, a second later.
func (w *world) revive(configure ...func(*Config)) *running {
	time.Sleep(time.Second)
	w.net.Tap(nil)
	return w.run(configure...)
}

// stops plays a row of midway, and compares both sides with it.
func (w *world) stops(t *testing.T, play func(*world, func(*Config)) *running, cells []string) {
	r := play(w, w.fleet(t))
	time.Sleep(time.Minute)
	synctest.Wait()
	w.player.mu.Lock()
	events := slices.Clone(w.player.events)
	w.player.mu.Unlock()
	var told []string
	for _, e := range events[1:] {
		told = append(told, "`"+e.Kind.String()+"`")
	}
	want, text, closes := strings.Cut(cells[1], ": ")
	if got := strings.Join(told, ", "); got != want {
		w.Errorf("the player's program is told %s, and the table has %s", got, want)
	}
	if last := events[len(events)-1]; closes {
		agree(t, "the player's program", text, last.Err)
	}
	lines := []string{}
	for _, e := range w.audit.all() {
		line := e.Decision.String()
		if e.Cause+e.Detail != "" {
			line += fmt.Sprint(": ", strings.TrimPrefix(e.Cause+", "+e.Detail, ", "))
		}
		if e.Decision != audit.Accept {
			lines = append(lines, "`"+strings.TrimSuffix(line, ", ")+"`")
		}
	}
	if got := strings.Join(lines, ", "); got != cells[2] && (got != "" || cells[2] != "nothing") {
		w.Errorf("the audit says %s, and the table %s", got, cells[2])
	}
	drops := w.server.Stats().Drops
	if what, ok := strings.CutPrefix(strings.ReplaceAll(cells[3], "`", ""), "Drops "); ok && drops[what] == 0 || !ok && len(drops) > 0 {
		w.Errorf("dropped are %v, and the table has %s", drops, cells[3])
	}
	w.player.quit()
	if r != nil {
		w.end(r, r.Close)
	}
}
