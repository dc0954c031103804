package machine

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/replay"
)

// savesAndRestores has a process save its sessions and its memory, and another one with the same
// configuration read them. The times that this one is given are the wall clock's.
func (d *dialogue) savesAndRestores(all ...*dialogue) (*Gate, *resume.Snapshot) {
	d.Helper()
	return d.readsAt(d.gate.wall(d.now), d.saves(all...))
}

// saves returns what a process leaves of its sessions and its memory.
func (d *dialogue) saves(all ...*dialogue) *bytes.Buffer {
	d.Helper()
	file := new(bytes.Buffer)
	w, err := resume.NewWriter(file, d.gate.config.FleetKeys, d.gate.wall(d.now), rand.Reader)
	if err != nil {
		d.Fatal(err)
	}
	for _, o := range all {
		r := resume.Session{
			Addr: netip.AddrPortFrom(home, 4000), InKey: make([]byte, 16), InIV: make([]byte, 4),
			OutKey: make([]byte, 16), OutIV: make([]byte, 4), Records: new(replay.Make(64)),
		}
		if o.server.path.Contains(far) {
			r.Addr = netip.AddrPortFrom(far, 4000)
		}
		if o.server.Save(&r) {
			d.must(nil, w.Add(&r))
		}
	}
	d.must(nil, d.gate.Save(w, func() {}))
	d.must(nil, w.Close())
	return file
}

// readsAt has another process read it.
func (d *dialogue) readsAt(now time.Time, file *bytes.Buffer) (*Gate, *resume.Snapshot) {
	d.Helper()
	snap, err := resume.Read(file, d.gate.config.FleetKeys, now)
	if err != nil {
		d.Fatal(err)
	}
	g, err := NewGate(d.gate.config)
	if err != nil {
		d.Fatal(err)
	}
	g.Restore(snap)
	return g, snap
}

// restores restores a session of a snapshot in the new process.
func (d *dialogue) restores(g *Gate, s *resume.Session) (*dialogue, audit.Drop) {
	next := *d
	next.now = d.gate.wall(d.now)
	next.gate, next.server, next.former = g, new(Conn), nil
	drop := next.server.Restore(g, next.now, s).Drop()
	if drop == audit.DropNone {
		next.homes[s.ConnectionID] = next.server
	}
	return &next, drop
}

// restarts returns the dialogue with the process that has taken over.
func (d *dialogue) restarts() *dialogue {
	d.Helper()
	g, snap := d.savesAndRestores(d)
	if len(snap.Sessions) != 1 {
		d.Fatalf("%d sessions are handed on", len(snap.Sessions))
	}
	next, drop := d.restores(g, snap.Sessions[0])
	if drop != audit.DropNone {
		d.Fatalf("not restored: %v", drop)
	}
	return next
}

// limited is a file on a disk that gets full.
type limited struct{ left int }

var errDiskFull = errors.New("disk full")

func (l *limited) Write(b []byte) (int, error) {
	if l.left -= len(b); l.left < 0 {
		return 0, errDiskFull
	}
	return len(b), nil
}
