package matrix

import (
	"fmt"
	"testing"
	"time"
)

// hit is what happens to some of the first datagrams.
type hit struct {
	whose       int
	first, many int // by number, from 1
	what        fate
}

func (h hit) name() string {
	return fmt.Sprintf("%s%d+%d-%s", whoseNames[h.whose], h.first, h.many-1, fateNames[h.what])
}

// of returns the fate of a datagram, if so many have been sent with it.
func (h hit) of(sent [3]int, whose int) fate {
	if n := sent[h.whose] - h.first; (h.whose == both || h.whose == whose) && n >= 0 && n < h.many {
		return h.what
	}
	return pass
}

// Each datagram of the handshake, of HELLO and of WELCOME is lost, alone and with the next one, or comes again a round trip
// later: counted among all, among the player's and among the server's. The player joins with one handshake and within a
// second, or two if two are lost.
//
// "If the server's last flight is lost, it answers the client's authenticated Finished again." PROTOCOL.md 9.1
func TestFlights(t *testing.T) {
	base := cell{rtt: 40 * time.Millisecond, event: event{long: 300 * time.Millisecond}}
	usual := newKit(t).try(t, base, 1).handshake
	t.Logf("%d datagrams until the player has joined, %d of them the player's and %d the server's", usual[both], usual[ofPlayer], usual[ofServer])
	if usual[both] < 8 {
		t.Errorf("%d datagrams are no handshake", usual[both])
	}
	var cells []cell
	for whose, n := range usual {
		for first := 1; first <= n; first++ {
			for _, h := range []hit{{whose, first, 1, lose}, {whose, first, 2, lose}, {whose, first, 1, copied}} {
				c := base
				c.hit = h
				cells = append(cells, c)
			}
		}
	}
	tryAll(t, cells)
}
