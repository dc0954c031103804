package attack

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/session"
)

func forgedTag() []scene {
	return []scene{
		{fmt.Sprintf("%d wrong tags in a row, twice, inside one's own connection", badTags-1), "dropped as tag; the session lives", someTags},
		{fmt.Sprintf("%d wrong tags in a row", badTags), "the session is revoked", manyTags},
		{"random datagrams from outside, with a player's address", "dropped as record; nothing else happens", func(s *stage) error {
			return s.outside(noise)
		}},
		{"a player's datagrams with a flipped bit, from outside", "dropped as record; nothing else happens", func(s *stage) error {
			return s.outside(flip)
		}},
	}
}

// noise looks like a record of the connection every other time. What looks like a RETURN is none, and
// would be dropped as another reason says.
func noise(i int, _ []byte) []byte {
	b := make([]byte, 100)
	rand.Read(b) //nolint:errcheck // never fails
	if b[0] == retry.TypeReturn {
		b[0]++
	}
	if i%2 == 0 {
		copy(b, []byte{23, 0xfe, 0xfd, 0, 1, 0, 0, 0xff})
		b[11], b[12] = 0, byte(len(b)-13)
	}
	return b
}

// flip changes one bit, each time the next.
func flip(i int, genuine []byte) []byte {
	bit := i % (8 * len(genuine))
	genuine[bit/8] ^= 1 << (bit % 8)
	return genuine
}

// "8 in a row revoke the session": a right one in between begins a new row. PROTOCOL.md 4.8
func someTags(s *stage) error {
	p, err := s.join()
	if err != nil {
		return err
	}
	for round := range uint64(2) {
		p.forgeTags(badTags - 1)
		s.dropped("tag", (round+1)*(badTags-1))
		s.playsOn("the player", p, round, 1)
	}
	return nil
}

func manyTags(s *stage) error {
	p, err := s.join()
	if err != nil {
		return err
	}
	p.forgeTags(badTags)
	await(func() bool { return !p.lives() })
	if p.lives() {
		s.saw(false, "the session lives")
	} else {
		s.saw(p.reason() == session.ReasonRevoked, "closed: %v", p.reason())
	}
	s.dropped("tag", badTags)
	s.audited("revoke tag", 1)
	return nil
}

// forgeTags sends envelopes that are right in everything but the tag.
func (p *raw) forgeTags(n int) {
	for i := range n {
		e := p.envelope()
		e[10+i%8] ^= 1
		p.write(p.seal(e))
	}
}

// "Nothing that is not authenticated ends a connection." PROTOCOL.md 9.2. The datagrams go out from the player's own
// socket, so they have its address.
func (s *stage) outside(forge func(i int, genuine []byte) []byte) error {
	p, err := s.join()
	if err != nil {
		return err
	}
	_, captured := p.play(1)
	for i := range forgeries {
		p.write(forge(i, slices.Clone(captured[0])))
		if i%clump == clump-1 {
			time.Sleep(pollTime)
		}
	}
	s.dropped("record", forgeries)
	s.playsOn("the player", p, 1, copies)
	return nil
}
