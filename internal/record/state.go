package record

import (
	"slices"

	"github.com/sallyport/sallyport/replay"
)

// State is one end's protection as it stands: what another process needs to go on with
// it under the same keys. Whoever takes it goes on alone, or nonces repeat: the Conn that gave it must not seal again.
type State struct {
	InKey, InIV   []byte // of records that come: 16 or 32 bytes, and 4
	OutKey, OutIV []byte // of records that go
	Next          uint64 // number of the next record that goes
	Failed        uint64 // what FailedOpens says
	Window        *replay.Window
}

// State returns the protection as it stands, and false if the keys are used up or wiped. The keys are copies, for the
// caller to erase; Window is the Conn's own, to be read at once. The caller owns both sides.
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

// Restore makes c the protection that State has left. The state is not kept. The error is ErrSecrets for one that no
// Conn can be in, or ErrExhausted. From then on c must not be copied.
//
// An explicit nonce that the handshake spent was not ahead of the record number when the connection began, and so is
// not ahead of any later one (Secrets.Check).
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
