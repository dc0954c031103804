package transport

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/record"
	"github.com/sallyport/sallyport/session"
)

// takeOver reads what the process before has left at Config.Snapshot. The file is
// gone afterwards, whatever was in it. One that is refused is on record, and its
// players come back by ticket.
func (s *Server) takeOver() {
	snap, err := claimSnapshot(s.config.Snapshot, s.config.Session)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		s.config.Audit.Record(audit.Event{
			Time: s.clock.at(s.clock.now()), Decision: audit.Reject, Reason: audit.DropTicket, Version: version,
			Detail: "a snapshot was refused: " + reasonOf(err),
		})
	default:
		s.gate.Restore(snap)
		s.restoreAddresses(snap.Live)
		s.restored, s.inherits = snap.Sessions, len(snap.Sessions) > 0
	}
}

var errTakenBefore = errors.New("transport: snapshot was taken before")

// reasonOf is why a snapshot was refused, without its path.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errTakenBefore):
		return "it was taken before"
	case errors.Is(err, resume.ErrSnapshot):
		return "it is damaged, too old, or of another fleet"
	}
	return "its file or directory cannot be used"
}

// claimSnapshot reads a snapshot that nobody has taken before. Of two processes
// that try, one succeeds: the file loses its name first. A copy that comes later
// is known by its id, which stands in a file beside it as long as the copy could
// be good.
func claimSnapshot(path string, config session.Config) (*resume.Snapshot, error) {
	mine := path + ".taking"
	if err := os.Rename(path, mine); err != nil {
		return nil, err
	}
	defer os.Remove(mine) //nolint:errcheck // a second reader finds its id
	f, err := os.Open(mine)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	now := time.Now()
	snap, err := resume.Read(f, config.FleetKeys, now)
	if err != nil {
		return nil, err
	}
	if err := remember(path+".taken", snap, now); err != nil {
		for _, r := range snap.Sessions {
			r.Wipe()
		}
		return nil, err
	}
	return snap, nil
}

// takenLen is what the file of taken snapshots has of each: its id, and when it was
// made, in Unix milliseconds.
const takenLen = 16 + 8

// remember notes in a file that a snapshot is taken.
func remember(path string, snap *resume.Snapshot, now time.Time) error {
	known, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	list := binary.BigEndian.AppendUint64(slices.Clone(snap.ID[:]), uint64(snap.Made.UnixMilli()))
	for entry := range slices.Chunk(known, takenLen) {
		if len(entry) < takenLen || made(entry).Before(now.Add(-2*resume.SnapshotLife)) {
			continue
		}
		if [16]byte(entry) == snap.ID {
			return errTakenBefore
		}
		list = append(list, entry...)
	}
	if err := os.WriteFile(path+".new", list, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path) // whole, or as before
}

func made(entry []byte) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(entry[16:]))) }

// settleIn gives the sessions that takeOver has brought to the shards that their
// hints name; it is called once, when it is known how many shards there are.
func (s *Server) settleIn() {
	lists := make(map[*shard][]*resume.Session)
	for _, r := range s.restored {
		home := s.home(r.Hint)
		lists[home] = append(lists[home], r)
	}
	s.restored = nil
	for sh, list := range lists {
		sh.post(func(now time.Time) {
			for _, r := range list {
				sh.restore(now, r)
			}
		})
	}
}

// restore goes on with one session.
func (s *shard) restore(now time.Time, r *resume.Session) {
	defer r.Wipe()
	a := &association{shard: s, addr: r.Addr, hint: r.Hint, place: unproven}
	a.session = &a.match
	drop := audit.DropTicket
	if a.record.Restore(&record.State{
		InKey: r.InKey, InIV: r.InIV, OutKey: r.OutKey, OutIV: r.OutIV,
		Next: r.RecordNext + recordSkip, Failed: r.RecordFailed, Window: r.Records,
	}) == nil {
		drop = a.match.Restore(s.server.gate, now, r)
	}
	if drop != audit.DropNone {
		s.drop(drop)
		s.server.config.Audit.Record(audit.Event{
			Time: s.server.clock.at(now), Decision: audit.Reject, Reason: drop, Version: version,
			Issuer: r.Issuer, Subject: r.Subject, TokenID: r.Standing.TokenID, Prefix: prefixOf(r.Addr),
			Scope: r.Scope, Platform: r.Platform, Build: r.Build, Detail: "of a snapshot",
		})
		return
	}
	s.adopt(now, a)
	s.joined(now, a, session.Event{Kind: session.EventResumed})
}
