package lanes

import (
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/wire"
)

// Payload is the bytes of a message, which any number of endpoints share: a broadcast has one. It
// does not change. The holder of a reference may use it; its methods are safe for concurrent use.
type Payload struct {
	b      []byte
	refs   atomic.Int32
	parity *parity // of one with more than a fragment
}

// smallPayload is the capacity in bytes of payloads for short messages, most of which are shorter.
const smallPayload = 192

var (
	small = sync.Pool{New: func() any { return &Payload{b: make([]byte, 0, smallPayload)} }}
	large = sync.Pool{New: func() any { return &Payload{b: make([]byte, 0, wire.MaxFragment)} }}
)

// NewPayload returns a copy of b with one reference, which the caller gives up with Release.
func NewPayload(b []byte) *Payload {
	p := newPayload(len(b))
	p.b = append(p.b, b...)
	return p
}

// newPayload returns an empty payload with room for n bytes.
func newPayload(n int) *Payload {
	var p *Payload
	switch {
	case n <= smallPayload:
		p = small.Get().(*Payload)
	case n <= wire.MaxFragment:
		p = large.Get().(*Payload)
	default:
		p = &Payload{b: make([]byte, 0, n), parity: new(parity)}
	}
	p.b = p.b[:0]
	p.refs.Store(1)
	return p
}

func (p *Payload) retain() *Payload {
	p.refs.Add(1)
	return p
}

// Release gives up a reference. With the last one the bytes are reused.
func (p *Payload) Release() {
	if p.refs.Add(-1) != 0 {
		return
	}
	switch cap(p.b) {
	case smallPayload:
		small.Put(p)
	case wire.MaxFragment:
		large.Put(p)
	}
}
