package record

import (
	"slices"

	"github.com/sallyport/sallyport/replay"
)

// State is the protection of one end, for another process that continues it under the same keys.
// Only one process may continue it, or nonces repeat: the Conn that returned it must not seal
// again.
type State struct {
	InKey, InIV   []byte // for opening: 16 or 32 bytes, and 4
	OutKey, OutIV []byte // for sealing
	Next          uint64 // number of the next record to seal
	Failed        uint64 // the count of FailedOpens
	Window        *replay.Window
}

// State returns the current state, and false if the keys are exhausted or wiped. The keys are
// copies, which the caller erases; Window is the Conn's own, to be read at once. The caller owns
// both sides.
func (c *Conn) State() (State, bool) {
	if c.in.keyLen == 0 || c.out.keyLen == 0 || c.next >= MaxRecords || c.failed >= MaxFailedOpens {
		return State{}, false
	}
	return State{
		InKey: slices.Clone(c.in.key[:c.in.keyLen]), InIV: slices.Clone(c.in.nonce[:4]),
		OutKey: slices.Clone(c.out.key[:c.out.keyLen]), OutIV: slices.Clone(c.out.nonce[:4]),
		Next: c.next, Failed: c.failed, Window: &c.window,
	}, true
}

// Restore makes c continue from the state. The state is not kept. The error is ErrSecrets for a
// state that no Conn can have, or ErrExhausted. c must not be copied afterwards.
//
// An explicit nonce that the handshake spent was behind the record number when the connection
// began, and so is behind any later one (Secrets.Check).
func (c *Conn) Restore(s *State) error {
	if n := len(s.InKey); n != 16 && n != 32 || len(s.OutKey) != n || len(s.InIV) != 4 || len(s.OutIV) != 4 || s.Window == nil {
		return ErrSecrets
	}
	if s.Next >= MaxRecords || s.Failed >= MaxFailedOpens {
		return ErrExhausted
	}
	*c = Conn{window: s.Window.Clone(), next: s.Next, failed: s.Failed}
	c.in.set(s.InKey, s.InIV)
	c.out.set(s.OutKey, s.OutIV)
	return nil
}
