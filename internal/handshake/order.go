package handshake

import (
	"slices"

	"github.com/sallyport/sallyport/internal/record"
)

// The last flight of a peer may come in several datagrams and in any order. An engine that gets a
// ChangeCipherSpec or a Finished before it has keys queues them, and pion/dtls v2 queues slices of
// a buffer that all connections share. So they wait here, and follow the message they depend on in
// the same Read.

// onChange decides about a ChangeCipherSpec, which needs keys. One may wait.
func (f *filter) onChange() fate {
	switch {
	case f.keyed:
		return pass
	case f.change == nil:
		return later
	}
	return drop
}

// onFinished decides about a Finished, which needs a ChangeCipherSpec. A few may wait.
func (f *filter) onFinished() fate {
	switch {
	case f.changed:
		return pass
	case len(f.finished) < maxHeld:
		return later
	}
	return drop
}

// hold keeps a copy of an early record.
func (f *filter) hold(rec []byte) {
	if record.ContentType(rec[0]) == record.ChangeCipherSpec {
		f.change = slices.Clone(rec)
		return
	}
	f.finished = append(f.finished, slices.Clone(rec))
}

// release appends to now the records that wait no longer.
func (f *filter) release(now []byte) []byte {
	if f.keyed && f.change != nil {
		now = append(now, f.change...)
		f.change, f.changed = nil, true
	}
	if f.changed {
		now = slices.Concat(append([][]byte{now}, f.finished...)...)
		f.finished = nil
	}
	return now
}

// flight follows a client's messages after its ClientHello up to the ones a server derives the keys
// from:
//
//	ClientKeyExchange
//	Certificate (empty)  ClientKeyExchange
//	Certificate          ClientKeyExchange  CertificateVerify
//
// A message counts once its fragments have passed, in whatever order. Which bytes have is noted in
// a bit each, at most MaxServerBytes of them.
type flight struct {
	first uint16      // message_seq that follows the last ClientHello
	parts [3]struct { // the messages from first on
		typ   byte
		seen  assembly // which of its bytes have passed, not the bytes
		whole bool
	}
	empty bool // the Certificate has no certificate in it
}

// add records the messages of one record and reports whether the flight is complete.
func (f *flight) add(body []byte) bool {
	for len(body) > 0 {
		m, rest, _ := nextMessage(body)
		body = rest
		if m.typ == clientHello && m.seq >= f.first {
			*f = flight{first: m.seq + 1}
		}
		i := int(m.seq) - int(f.first)
		if i < 0 || i >= len(f.parts) || m.length > MaxServerBytes {
			continue
		}
		p := &f.parts[i]
		p.typ, p.whole = m.typ, p.whole || p.seen.cover(m)
		f.empty = f.empty || m.typ == certificate && m.length == 3
	}
	whole := func(i int, typ byte) bool { return f.parts[i].whole && f.parts[i].typ == typ }
	return whole(0, clientKeyExchange) ||
		whole(0, certificate) && whole(1, clientKeyExchange) && (f.empty || whole(2, certificateVerify))
}
