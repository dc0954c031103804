package transport

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/resume"
)

// takeOver reads what the process before has left at Config.Snapshot. The file is gone afterwards, whatever was in it,
// unless it is no regular file. What is refused is on record, and its players come back by ticket. Where only the sessions
// are refused, what must not come again and what is revoked is remembered all the same: it only ever keeps somebody out.
func (h *handover) takeOver() {
	s := h.server
	snap, err := claimSnapshot(s.config.Snapshot, s.config.Session.FleetKeys, s.Addr())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		what := "a snapshot was refused: "
		if snap != nil {
			what = "the sessions of a snapshot were refused: "
		}
		s.audit.now(audit.Event{Decision: audit.Reject, Reason: audit.DropTicket, Detail: what + reasonOf(err)})
	}
	if snap != nil {
		s.gate.Restore(snap)
		h.restoreAddresses(snap.Live)
		s.gate.Await(snap.Sessions)
		if h.restored, h.made = snap.Sessions, snap.Made; len(h.restored) > 0 {
			s.endpoint.Inherit()
		}
	}
}

// Why a snapshot, or what is in it of sessions, is refused.
var (
	errTakenBefore  = errors.New("transport: snapshot was taken before")
	errLate         = errors.New("transport: snapshot is too old")
	errOtherAddress = errors.New("transport: snapshot is for another address")
	errNoFile       = errors.New("transport: not a regular file")
)

// reasonOf is why a snapshot was refused, without its path.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errTakenBefore):
		return "it was taken before"
	case errors.Is(err, errLate):
		return "it is too old"
	case errors.Is(err, errOtherAddress):
		return "it is for another address than the one that the server listens on"
	case errors.Is(err, errNoFile):
		return "it, or the file beside it, is not a regular file"
	case errors.Is(err, resume.ErrSnapshot):
		return "it is damaged, or of another fleet"
	}
	return "its file or directory cannot be used" + said(err)
}

// said is what the system says of a file, behind a colon and without its path; empty if the error is
// none of the system's.
func said(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return ": " + errno.Error()
	}
	return ""
}

// claimSnapshot reads a snapshot that nobody has taken before. Of two processes that try, one succeeds: the file loses its
// name first. A copy that comes later is known by its id, which stands in a file beside it. An error with a snapshot is why
// its sessions have been left out.
func claimSnapshot(path string, keys *fleetkey.Ring, address netip.AddrPort) (*resume.Snapshot, error) {
	switch info, err := os.Lstat(path); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errNoFile // not ours to move
	}
	mine := path + ".taking"
	if err := os.Rename(path, mine); err != nil {
		return nil, err
	}
	defer os.Remove(mine) //nolint:errcheck // a second reader finds its id
	f, err := openRegular(mine)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	now := time.Now()
	snap, err := resume.Read(f, keys, now)
	if err != nil {
		return nil, err
	}
	err = remember(path+".taken", snap, now)
	switch {
	case errors.Is(err, errTakenBefore):
		snap.LeaveOut()
		return nil, err
	case err == nil && snap.LeftOut > 0:
		return snap, errLate
	case err == nil && len(snap.Sessions) > 0 && !sameAddress(snap.Address, address):
		err = errOtherAddress
	}
	if err != nil {
		snap.LeaveOut()
	}
	return snap, err
}

// sameAddress reports whether a server that listens on b gets the datagrams of one that has listened on a.
func sameAddress(a, b netip.AddrPort) bool {
	x, y := a.Addr().Unmap().WithZone(""), b.Addr().Unmap().WithZone("")
	return a.Port() == b.Port() && (x == y || x.IsUnspecified() && y.IsUnspecified())
}

const (
	// takenLen is what the file of taken snapshots has of each: its id, and when it was made, in Unix milliseconds.
	takenLen = 16 + 8

	// maxTaken is how many of them it has: one process a minute for more than takenLife.
	maxTaken = 2048

	// takenLife is for how long a snapshot is known that was taken: its sessions are good for 30 s, but clocks are set, and
	// what it says of tokens is over after a day.
	takenLife = 25 * time.Hour
)

// remember notes in a file that a snapshot is taken.
func remember(path string, snap *resume.Snapshot, now time.Time) error {
	known, err := readTaken(path)
	if err != nil {
		return err
	}
	list := binary.BigEndian.AppendUint64(slices.Clone(snap.ID[:]), uint64(snap.Made.UnixMilli()))
	for entry := range slices.Chunk(known, takenLen) {
		if len(entry) < takenLen || made(entry).Before(now.Add(-takenLife)) {
			continue
		}
		if [16]byte(entry) == snap.ID {
			return errTakenBefore
		}
		list = append(list, entry...)
	}
	return writeTaken(path, list[:min(len(list), maxTaken*takenLen)])
}

func readTaken(path string) ([]byte, error) {
	f, err := openRegular(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxTaken*takenLen))
}

// writeTaken writes to another file first, so that the list is whole or as before.
func writeTaken(path string, list []byte) error {
	f, err := createBeside(path)
	if err != nil {
		return err
	}
	_, err = f.Write(list)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // err says more
	}
	return err
}

func made(entry []byte) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(entry[16:]))) }
