package transport

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
)

// A full disk under a snapshot is Shutdown's error, and an alarm in the audit before the sessions end.
// Nothing is left of the snapshot, and what is there beside it stays. With room again sessions are handed
// on as ever.
func TestSnapshotOnFullDisk(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		disk := testkit.NewDisk(t, 16<<10)
		w.net.SetImpairment(netsim.Impairment{Latency: time.Millisecond})
		fleet := w.fleet(t)
		here := func(c *Config) { fleet(c); c.Snapshot = disk.Dir + "/snapshot" }
		r := w.run(here)
		s := w.stay(1, quietClient)
		time.Sleep(time.Second)
		disk.Fill()
		close(r.stop)
		r.wg.Wait()
		if err := r.shutdown(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Shutdown: %v", err)
		}
		if files := disk.Files(); len(files) != 0 {
			t.Errorf("left: %v", files)
		}
		lines := w.audit.all()
		alarm := slices.IndexFunc(lines, func(e audit.Event) bool { return e.Decision == audit.Alarm })
		end := slices.IndexFunc(lines, func(e audit.Event) bool { return e.Decision == audit.Close })
		if want := "the snapshot was not written, and its sessions end: no space left on device"; alarm < 0 || alarm > end || lines[alarm].Detail != want {
			t.Errorf("the alarm is line %d and the end line %d of %+v; want first the alarm %q", alarm, end, lines, want)
		}
		s.quit()
		disk.Free()
		r = w.run(here)
		s = w.stay(2)
		time.Sleep(time.Second)
		w.end(r, r.shutdown)
		if files := disk.Files(); !slices.Equal(files, []string{"snapshot"}) {
			t.Errorf("left: %v", files)
		}
		r = w.run(here)
		time.Sleep(time.Second)
		if r.Stats().Sessions != 1 || s.told(EventResumed) != 0 {
			t.Errorf("%+v, %v", r.Stats(), s.events)
		}
		w.quit(r, s)
	})
}

// A disk that is full as a server takes over: its sessions cannot be noted as taken, so that they come
// back by ticket, on record, and without anybody's doing; who was put out before does not.
func TestTakeOverOnFullDisk(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		disk := testkit.NewDisk(t, 64<<10)
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		fleet := w.fleet(t)
		here := func(c *Config) { fleet(c); c.Snapshot = disk.Dir + "/snapshot" }
		r := w.run(here)
		s := w.stay(1)
		time.Sleep(time.Second)
		if _, err := r.Ban(session.Ban{Issuer: w.match.player(0).Session().Issuer(), Subject: "player 3", Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		w.end(r, r.shutdown)
		disk.Fill()
		r = w.run(here)
		w.refusedSnapshot("the sessions of a snapshot were refused: ", "cannot be used: no space left on device")
		if n := w.audits(audit.Reject); n != 1 {
			t.Errorf("%d lines", n)
		}
		time.Sleep(10 * time.Second)
		if s.since() > 2*frame || s.told(EventResumed) != 1 || s.told(EventClosed) != 0 {
			t.Errorf("the last snapshot came %v ago, %+v", s.since(), s.events)
		}
		if c, err := w.try(3); err == nil {
			t.Error("who is banned is in again")
			c.Close()
		}
		if files := disk.Files(); len(files) != 0 {
			t.Errorf("left: %v", files)
		}
		w.quit(r, s)
	})
}
