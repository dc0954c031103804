package lanes

import (
	"sync"

	"github.com/klauspost/reedsolomon"

	"github.com/sallyport/sallyport/internal/wire"
)

// codes are the erasure codes by number of fragments and of parity frames. An encoder is stateless
// and safe for concurrent use.
var codes [wire.MaxParityFragments + 1][wire.MaxParity + 1]struct {
	once sync.Once
	reedsolomon.Encoder
}

// code returns the systematic code whose parity byte i is the sum of data byte j divided by
// (fragments + i) xor j, in GF(2^8) modulo 0x11d. The pattern of losses is the peer's choice, so
// nothing is remembered of it.
func code(fragments, parity int) reedsolomon.Encoder {
	c := &codes[fragments][parity]
	c.once.Do(func() {
		var err error
		c.Encoder, err = reedsolomon.New(fragments, parity,
			reedsolomon.WithCauchyMatrix(), reedsolomon.WithInversionCache(false), reedsolomon.WithMaxGoroutines(1))
		if err != nil {
			panic(err) // the numbers are within the bounds of every code
		}
	})
	return c.Encoder
}

// A parity is the parity frames of a payload, made once for all endpoints that share it.
type parity struct {
	once   sync.Once
	frames [][]byte
}

// parityFrame returns one of the payload's parity frames, of which there are n.
func (p *Payload) parityFrame(n, i int) []byte {
	p.parity.once.Do(func() {
		k, size := wire.Fragments(len(p.b)), wire.FragmentSize(len(p.b))
		shards := make([][]byte, k+n)
		for j := range shards {
			if j < k-1 || j == k-1 && k*size == len(p.b) {
				shards[j] = p.b[j*size:][:size]
				continue
			}
			shards[j] = make([]byte, size)
			if j == k-1 {
				copy(shards[j], p.b[j*size:])
			}
		}
		if err := code(k, n).Encode(shards); err != nil {
			panic(err) // all shards are of one length
		}
		p.parity.frames = shards[k:]
	})
	return p.parity.frames[i]
}

// parityOf returns how many parity frames a message of the lane has.
func (l *Lane) parityOf(total int) int {
	if total <= wire.MaxFragment {
		return 0
	}
	return l.Parity
}

// restore computes the fragments that are missing from those that have come and from parity frames.
func (a *assembly) restore() {
	k, size := wire.Fragments(len(a.b)), wire.FragmentSize(len(a.b))
	shards := make([][]byte, k+len(a.parity))
	whole := a.b[:k*size]
	for i := range k {
		shards[i] = whole[i*size:][:0:size]
		if a.have.has(i) {
			shards[i] = shards[i][:size]
		}
	}
	copy(shards[k:], a.parity)
	if err := code(k, len(a.parity)).ReconstructData(shards); err != nil {
		panic(err) // there are as many as fragments
	}
}
