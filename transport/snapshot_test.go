package transport

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// What is wrong with a snapshot is on record, the file is gone, and its players come
// back by ticket: nothing is lost for them but the pause.
func TestSnapshotRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(t *testing.T, path string)
		pause time.Duration
		why   string // part of the audit's detail
	}{
		"edited": {edit: func(t *testing.T, path string) {
			b := read(t, path)
			b[len(b)/2] ^= 1
			write(t, path, b)
		}, why: "damaged"},
		"cut off": {edit: func(t *testing.T, path string) {
			b := read(t, path)
			write(t, path, b[:len(b)-1])
		}, why: "damaged"},
		"empty": {edit: func(t *testing.T, path string) { write(t, path, nil) }, why: "damaged"},
		"dated anew": {pause: 5 * time.Second, edit: func(t *testing.T, path string) {
			b := read(t, path)
			made := binary.BigEndian.Uint64(b[20:])
			binary.BigEndian.PutUint64(b[20:], made+3000) // younger than it is, and not of the future
			write(t, path, b)
		}, why: "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				fleet, path := w.fleet(t), ""
				note := func(c *Config) { fleet(c); path = c.Snapshot }
				first := w.run(note)
				s := w.stay(1)
				time.Sleep(time.Second)
				name := w.match.player(0).Session().Name()
				w.end(first, first.shutdown)
				test.edit(t, path)
				time.Sleep(test.pause)
				second := w.run(note)
				w.refusedSnapshot("a snapshot was refused: ", test.why)
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Errorf("the file is still there: %v", err)
				}
				time.Sleep(4 * time.Second)
				if s.since() > 2*frame || w.match.player(1).Session().Name() != name || s.told(EventResumed) != 1 {
					t.Errorf("the last snapshot came %v ago, %+v", s.since(), s.events)
				}
				w.missing(s)
				w.quit(second, s)
			})
		})
	}
}

// refusedSnapshot fails unless the audit says that a snapshot, or its sessions, were refused, and why.
func (w *world) refusedSnapshot(what, why string) {
	w.Helper()
	if !slices.ContainsFunc(w.audit.all(), func(e audit.Event) bool {
		return e.Decision == audit.Reject && strings.HasPrefix(e.Detail, what) && strings.Contains(e.Detail, why)
	}) {
		w.Errorf("not on record: %q", why)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// "a snapshot is deleted on restore and refused a second time": a copy that somebody
// puts back brings no session to life beside, or after, the process that took it.
func TestSnapshotTwice(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		fleet, path := w.fleet(t), ""
		note := func(c *Config) { fleet(c); path = c.Snapshot }
		first := w.run(note)
		s := w.stay(1, quietClient)
		time.Sleep(time.Second)
		w.end(first, first.shutdown)
		copied := read(t, path)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		second := w.run(note)
		time.Sleep(time.Second)
		if n := second.Stats().Sessions; n != 1 {
			t.Errorf("%d sessions", n)
		}
		w.end(second, second.Close) // killed: it leaves no snapshot
		write(t, path, copied)
		third := w.run(note)
		time.Sleep(time.Second)
		if n := third.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions from a copy", n)
		}
		w.refusedSnapshot("a snapshot was refused: ", "taken before")
		files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		if len(files) != 1 || len(read(t, files[0])) != takenLen {
			t.Errorf("left: %v", files)
		}
		w.quit(third, s)
	})
}

// Without the keys that sealed it there is no snapshot to read, and without keys of
// its own a server cannot be told to write one.
func TestSnapshotKeys(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		fleet, path := w.fleet(t), ""
		first := w.run(func(c *Config) { fleet(c); path = c.Snapshot })
		s := w.stay(1, quietClient)
		w.end(first, first.shutdown)
		second := w.run(func(c *Config) {
			c.Snapshot = path
			c.Session.FleetKeys = testkit.Ring(t)
		})
		w.refusedSnapshot("a snapshot was refused: ", "another fleet")
		w.quit(second, s)
		for _, keys := range []*fleetkey.Ring{nil, {}} {
			config := Config{
				Certificate: *w.authority.Server(w), Verifier: w.issuer.Verifier(w), Snapshot: path, Conn: w.socket(serverAddr),
			}
			config.Session.FleetKeys = keys
			if _, err := Listen("", config); err != errSnapshotKeys {
				t.Error(err)
			}
			config.Conn.Close()
		}
	})
}

// A snapshot that cannot be written costs nothing but itself: players are told that
// the server shuts down, as without it.
func TestSnapshotNotWritten(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		fleet := w.fleet(t)
		r := w.run(fleet, func(c *Config) { c.Snapshot = filepath.Join(t.TempDir(), "no such folder", "snapshot") })
		s := w.stay(1, quietClient)
		time.Sleep(time.Second)
		w.net.SetImpairment(netsim.Impairment{Latency: time.Millisecond})
		close(r.stop)
		r.wg.Wait()
		if err := r.shutdown(); !os.IsNotExist(err) && (err == nil || !strings.Contains(err.Error(), "no such file")) {
			t.Errorf("Shutdown says %v", err)
		}
		time.Sleep(time.Second)
		if s.told(EventClosed) != 1 || len(w.match.left()) != 1 {
			t.Errorf("%+v, left: %v", s.events, w.match.left())
		}
		s.quit()
	})
}

// A snapshot without a folder in its name lies where the process does, and never in the folder for temporary files, which
// may be of another file system.
func TestSnapshotInWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", "/no such folder")
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: time.Millisecond})
		fleet, here := w.fleet(t), func(c *Config) { c.Snapshot = "players" }
		first := w.run(fleet, here)
		s := w.stay(1, quietClient)
		time.Sleep(time.Second)
		w.end(first, first.shutdown)
		second := w.run(fleet, here)
		time.Sleep(time.Second)
		if p := w.match.player(1); p.Origin() != OriginRestored {
			t.Errorf("the player's session is %v", p.Origin())
		}
		w.quit(second, s)
	})
}

// A snapshot that gets no name, after Leave has been called: the match hears nothing twice and of
// every message, and each player why the session ends.
func TestSnapshotNotNamed(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: time.Millisecond})
		l := newLedger("server")
		w.match.lanes = l
		fleet, h := w.fleet(t), w.match.handler()
		s := w.listen(fleet, allLanes, func(c *Config) { c.Snapshot = t.TempDir() })
		h.Leave = func(p *Player, reason session.Reason) {
			w.match.leave(p, reason)
			w.match.player(1).Kick(session.ReasonGame)
		}
		w.serving.Go(func() { w.served = s.Serve(h) })
		clients := []*Client{w.dial(0, withLanes), w.dial(1, withLanes)}
		time.Sleep(time.Second)
		if _, err := w.match.player(0).SendMessage(laneReliable, []byte("goodbye")); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(w.Context()); err == nil {
			t.Error("no error")
		}
		w.closed(w.ending(clients[0]), session.ReasonShutdown)
		w.closed(w.ending(clients[1]), session.ReasonGame)
		if left := w.match.left(); !slices.Equal(left, []session.Reason{session.ReasonShutdown, session.ReasonShutdown}) {
			t.Errorf("left: %v", left)
		}
		if got := l.told(); len(got) != 1 || got[[2]uint64{laneReliable, 1}] {
			t.Errorf("receipts: %v", got)
		}
		var ends []string
		for _, e := range w.audit.all() {
			if e.Decision == audit.Close {
				ends = append(ends, e.Detail)
			}
		}
		slices.Sort(ends)
		if want := []string{"game's reason 128", "server shutting down"}; !slices.Equal(ends, want) {
			t.Errorf("on record: %q, want %q", ends, want)
		}
	})
}

// "Once Shutdown has written Config.Snapshot the next process hears of it by session.Config.OnUsed
// alone." So whom the match kicks then is handed on, as the audit says, and so are the messages.
func TestKickedTooLate(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		l := newLedger("server")
		w.match.lanes = l
		fleet := w.fleet(t)
		s := w.serve(fleet, allLanes, func(c *Config) {
			c.Audit = audit.Tee(w.audit, recorder(func(e audit.Event) {
				if e.Decision == audit.Close {
					w.match.player(0).Kick(session.ReasonKicked)
					w.match.player(1).Kick(session.ReasonKicked)
				}
			}))
		})
		for n := range 2 {
			w.dial(n, withLanes)
		}
		time.Sleep(time.Second)
		for n, lane := range []int{laneReliable, laneOrdered} {
			if _, err := w.match.player(n).SendMessage(lane, []byte("goodbye")); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Shutdown(w.Context()); err != nil {
			t.Error(err)
		}
		if got := l.told(); len(got) != 0 {
			t.Errorf("receipts: %v", got)
		}
		for _, e := range w.audit.all() {
			if e.Decision == audit.Close && e.Detail != "handed on to the next process" {
				t.Errorf("on record: %q", e.Detail)
			}
		}
		w.serve(fleet, allLanes)
		time.Sleep(time.Second)
		if got := l.told(); len(got) != 2 || !got[[2]uint64{laneReliable, 1}] || !got[[2]uint64{laneOrdered, 1}] {
			t.Errorf("receipts: %v", got)
		}
	})
}

// "Nonce and sequence safety proven across the restart": of all that was sent to a
// player under one key no explicit nonce and no record number comes twice, with
// restarts in the middle of a match whose game goes on sending meanwhile.
func TestNoncesAcrossRestarts(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		fleet := w.fleet(t)
		r := w.run(fleet)
		s := w.stay(1)
		seen := make(map[string]bool)
		highest, least, count := uint64(0), uint64(0), 0
		tap := func(from, _ netip.AddrPort, b []byte) bool {
			if b[0] != byte(record.ApplicationData) {
				return true
			}
			h, _ := record.ParseHeader(b)
			nonce, number := string(b[record.HeaderLen:record.Prefix])+from.String(), h.Seq
			if seen[nonce] {
				t.Errorf("nonce %x from %v comes twice", nonce[:8], from)
			}
			seen[nonce] = true
			if from == serverAddr {
				if count++; number <= highest && highest > 0 || number < least {
					t.Errorf("record %d after %d, want at least %d", number, highest, least)
				}
				highest, least = number, 0
			}
			return true
		}
		w.net.Tap(tap)
		for range 5 {
			time.Sleep(time.Second)
			r.wg.Go(func() { // the game does not know yet
				p := w.match.newest()
				for range 1000 {
					_ = p.Send(binary.BigEndian.AppendUint64(nil, snapshots.Add(1)))
					time.Sleep(time.Millisecond)
				}
			})
			time.Sleep(500 * time.Millisecond)
			if err := r.shutdown(); err != nil {
				t.Error(err)
			}
			w.net.Tap(nil)         // waits for a call that runs
			least = highest + 4096 // "MUST skip 4,096 record numbers" docs/fleet.md 8.4
			w.net.Tap(tap)
			old := r
			r = w.run(fleet)
			close(old.stop)
			old.wg.Wait()
		}
		s.rest()
		w.net.Tap(nil)
		if count < 1000 || s.told(EventResumed) != 0 {
			t.Errorf("%d records, %+v", count, s.events)
		}
		w.missing(s)
		w.quit(r, s)
	})
}
