package audit

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/sallyport/sallyport/internal/bucket"
)

// players bounds the lines about each player's sessions, so that no player uses up the share of all
// others. Players are identified by the issuer and subject they have proven. Each has two cells,
// possibly shared with others, and is refused a line only if both are empty: while k players
// exhaust theirs, that affects one other in (playerCells / k)². A random seed decides which players
// share a cell.
type players struct {
	seed maphash.Seed
	rate bucket.Rate
	rows [2][]int64 // when a cell is full again, Unix ns
}

func newPlayers() players {
	return players{
		seed: maphash.MakeSeed(),
		rate: bucket.Every(playerInterval, playerBurst),
		rows: [2][]int64{make([]int64, playerCells), make([]int64, playerCells)},
	}
}

// take takes a line about e's session, and reports whether there was one. Events without a session
// are not bounded here, because anyone can have a token refused in another player's name.
func (p *players) take(e *Event, now int64) bool {
	if e.Session == 0 {
		return true
	}
	key := p.key(e)
	first, second := &p.rows[0][key%playerCells], &p.rows[1][key>>32%playerCells]
	for _, cell := range []*int64{first, second} {
		*cell = p.rate.Settle(*cell, now)
	}
	least := min(*first, *second)
	if !p.rate.Has(least, now, 1) {
		return false
	}
	next := least + p.rate.Span(1)
	*first, *second = max(*first, next), max(*second, next)
	return true
}

func (p *players) key(e *Event) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	if e.Subject == "" {
		var id [4]byte
		binary.BigEndian.PutUint32(id[:], e.Session)
		_, _ = h.Write(id[:])
		return h.Sum64()
	}
	_, _ = h.WriteString(e.Issuer)
	_ = h.WriteByte(0) // players whose concatenated names are equal share cells, as any two may
	_, _ = h.WriteString(e.Subject)
	return h.Sum64()
}
