package transport

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
)

// snapshot is Config.Snapshot as it is written.
type snapshot struct {
	w     *resume.Writer
	saved map[*conn]bool // whether their sessions are in it, of those who play
}

// handOver writes all live sessions to Config.Snapshot, for the process that comes
// next. From its beginning on nothing is sent any more, so that no nonce and no
// sequence can be used by both; if it fails, everything is as before, but that Leave
// may have been called. The caller holds the turns of all shards.
func (h *handover) handOver(shards []*shard) error {
	s := h.server
	h.settle() // what was taken over and has had no turn goes on, too
	h.deliver(shards)
	for _, sh := range shards {
		sh.Out.Close()
	}
	s.clock.settle()
	s.gate.StepClock(s.clock.now(), s.clock.ahead())
	snap := snapshot{saved: make(map[*conn]bool)}
	err := h.write(&snap, shards)
	if err != nil {
		for _, sh := range shards {
			sh.Out.Reopen()
		}
		return err
	}
	now := s.clock.now()
	for _, sh := range shards {
		snap.handedOn(now, sh)
	}
	return nil
}

// write writes to another file first: what has the name is whole.
func (h *handover) write(snap *snapshot, shards []*shard) error {
	s := h.server
	f, err := createBeside(s.config.Snapshot)
	if err != nil {
		return err
	}
	w, err := resume.NewWriter(f, s.config.Session.FleetKeys, time.Now(), rand.Reader)
	snap.w = w
	if err == nil {
		err = w.For(s.Addr())
	}
	for _, sh := range shards {
		if err == nil {
			err = snap.save(sh)
		}
	}
	if err == nil {
		for _, sh := range shards {
			snap.leaveAll(sh)
		}
		err = s.gate.Save(w, func() { // with what the match has decided meanwhile
			for c, in := range snap.saved {
				snap.saved[c] = in && !c.session.Session().Revoked()
			}
		})
	}
	if err == nil {
		err = h.saveAddresses(w)
	}
	if err == nil {
		err = w.Close()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.config.Snapshot)
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // err says more
	}
	return err
}

// createBeside makes a file that nobody else may read in the folder of path, to be renamed to it.
func createBeside(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
}

// save writes a shard's sessions, and notes which. One that cannot be handed over is
// left out: its player comes back by ticket.
func (n *snapshot) save(s *shard) error {
	s.Out.Mu.Lock()
	defer s.Out.Mu.Unlock()
	for _, c := range s.Table.All() {
		a := connOf(c)
		st, ok := a.Record.State()
		if a.player == nil || a.ending != nil || !ok || a.Addr.Local == addrtable.Carried {
			continue
		}
		r := resume.Session{
			Addr: a.Addr.AddrPort, Local: s.localOf(a), InKey: st.InKey, InIV: st.InIV, OutKey: st.OutKey, OutIV: st.OutIV,
			RecordNext: st.Next, RecordFailed: st.Failed, Records: st.Window,
		}
		err := resume.ErrSnapshot
		if a.session.Save(&r) && n.saveLanes(s, a.player.messages, r.Lanes) {
			err = n.w.Add(&r)
		}
		r.Wipe()
		if err != nil && !errors.Is(err, resume.ErrSnapshot) {
			return err
		}
		n.saved[a] = err == nil
	}
	return nil
}

// leaveAll tells the match that all players leave.
func (n *snapshot) leaveAll(s *shard) {
	for _, c := range s.Table.All() {
		if a := connOf(c); a.player != nil && a.player.stay.Load() != gone {
			a.player.ended.Store(true)
			a.player.farewell(wire.ReasonShutdown, n.saved[a])
		}
	}
}

// handedOn ends the stay of all players in this process, without a word to them.
func (n *snapshot) handedOn(now time.Time, s *shard) {
	s.Handshakes.Refuse()
	s.endings = endings{} // nothing is sent any more
	for _, c := range s.Table.All() {
		a := connOf(c)
		if a.player == nil || a.player.stay.Swap(gone) == gone {
			continue
		}
		e := a.self.shard.decision(now, a, audit.Close)
		switch {
		case n.saved[a]:
			e.Detail = "handed on to the next process"
			a.player.leaveMessages()
		case a.session.Session().Revoked():
			e.Detail = "put out before the next process"
			a.player.farewell(wire.ReasonShutdown, false)
		default:
			e.Detail = "left to come back by ticket"
		}
		s.server.audit.Record(e)
	}
}
