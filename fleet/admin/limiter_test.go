package admin

import (
	"fmt"
	"testing"
	"time"
)

// However many services ask as often as they may, and more often, each has two requests a second,
// nobody has more than its own rate, and all together have no more than theirs and these two of each.
func TestNobodyIsStarved(t *testing.T) {
	t.Parallel()
	const peer, all, seconds = 20, 400, 30
	for _, services := range []int{1, 19, 21, 60, 500} {
		l := newLimiter(peer, all)
		now := time.Unix(1_800_000_000, 0)
		granted := make([]int, services)
		total, honest := 0, 0
		for tick := range seconds * 25 { // each asks 25 times a second
			for i := range services {
				if problem, _ := l.take(fmt.Sprint(i), now); problem == nil {
					granted[i]++
					total++
				}
			}
			if tick%25 == 24 { // an operator asks once a second, behind all others
				if problem, _ := l.take("operator", now); problem == nil {
					honest++
				}
			}
			now = now.Add(time.Second / 25)
		}
		if honest != seconds {
			t.Errorf("%d services: the operator was answered %d times of %d", services, honest, seconds)
		}
		for i, n := range granted {
			if n < seconds || n > (seconds+burstSeconds)*peer+1 {
				t.Fatalf("%d services: %d was answered %d times", services, i, n)
			}
		}
		if most := (seconds + burstSeconds) * (all + services*ownPerSecond); total > most {
			t.Errorf("%d services: %d requests, want at most %d", services, total, most)
		}
	}
}
