package revocation

import "encoding/binary"

// nonce is what a subscriber asks with: a head that repeats it was made later.
type nonce [8]byte

// branch is where an epoch begins: its records have numbers from first on, and what another epoch
// has from there on does not belong to its history.
type branch struct{ epoch, first uint64 }

// head is a publisher's word on what it has published.
type head struct {
	publisher   PublisherID
	epoch, beat uint64
	time        int64  // Unix microseconds
	elapsed     int64  // microseconds since the epoch began, by a clock that never steps
	last        uint64 // number of the last record, 0 if there is none
	after       chain
	closed      bool
	branches    []branch // newest first, from this epoch on: those that this history went through
	nonces      []nonce
}

const (
	headHeader  = 84 // bytes up to the branches
	maxBranches = 16 // epochs that a head lists: a subscriber that has missed as many reads everything again
	maxNonces   = 32 // challenges that a head answers
	askSize     = 10
)

// appendTo appends the head and its signature.
func (h *head) appendTo(dst []byte, key SigningKey) ([]byte, error) {
	at := len(dst)
	dst = append(dst, version, typeHead)
	dst = append(dst, h.publisher[:]...)
	for _, n := range [...]uint64{h.epoch, h.beat, uint64(h.time), uint64(h.elapsed), h.last} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	dst = append(dst, h.after[:]...)
	var flags byte
	if h.closed {
		flags = flagClosed
	}
	dst = append(dst, flags, byte(len(h.branches)))
	for _, b := range h.branches {
		dst = binary.BigEndian.AppendUint64(dst, b.epoch)
		dst = binary.BigEndian.AppendUint64(dst, b.first)
	}
	dst = append(dst, byte(len(h.nonces)))
	for _, n := range h.nonces {
		dst = append(dst, n[:]...)
	}
	return appendSignature(dst, at, key)
}

// parseHead reads a head, which nothing has authenticated yet.
func parseHead(b []byte) (h head, ok bool) {
	if len(b) < headHeader+1+signatureSize || len(b) > MaxMessage || b[0] != version || b[1] != typeHead || b[82] > flagClosed {
		return h, false
	}
	h = head{
		publisher: PublisherID(b[2:]), epoch: binary.BigEndian.Uint64(b[10:]), beat: binary.BigEndian.Uint64(b[18:]),
		time: int64(binary.BigEndian.Uint64(b[26:])), elapsed: int64(binary.BigEndian.Uint64(b[34:])),
		last: binary.BigEndian.Uint64(b[42:]), after: chain(b[50:]), closed: b[82] == flagClosed,
	}
	branches := int(b[83])
	rest := b[headHeader : len(b)-signatureSize]
	if branches == 0 || branches > maxBranches || len(rest) < 16*branches+1 {
		return h, false
	}
	for range branches {
		h.branches = append(h.branches, branch{binary.BigEndian.Uint64(rest), binary.BigEndian.Uint64(rest[8:])})
		rest = rest[16:]
	}
	nonces := int(rest[0])
	rest = rest[1:]
	if nonces > maxNonces || len(rest) != 8*nonces {
		return h, false
	}
	for range nonces {
		h.nonces = append(h.nonces, nonce(rest))
		rest = rest[8:]
	}
	return h, h.valid()
}

// valid reports whether the numbers of a head make sense.
func (h *head) valid() bool {
	if h.epoch == 0 || h.beat == 0 || h.time < 0 || h.elapsed < 0 || h.elapsed > maxNumber || h.time > maxNumber || h.last >= maxNumber || h.branches[0].epoch != h.epoch {
		return false
	}
	for i, b := range h.branches {
		if b.first == 0 || b.first > h.last+1 || i > 0 && b.epoch >= h.branches[i-1].epoch {
			return false
		}
	}
	return true
}

// intact returns up to which number, exclusive, records of an epoch belong to the history that h
// states: none if h does not list the epoch.
func (h *head) intact(epoch uint64) uint64 {
	end := uint64(maxNumber)
	for _, b := range h.branches {
		if b.epoch == epoch {
			return end
		}
		end = min(end, b.first)
	}
	return 1
}

// appendAsk appends a challenge.
func appendAsk(dst []byte, n nonce) []byte {
	return append(append(dst, version, typeAsk), n[:]...)
}

// parseAsk reads a challenge.
func parseAsk(b []byte) (nonce, bool) {
	if len(b) != askSize || b[0] != version || b[1] != typeAsk {
		return nonce{}, false
	}
	return nonce(b[2:]), true
}
