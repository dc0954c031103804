package attack

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/session"
)

func bot() []scene {
	var scenes []scene
	for _, rate := range []int{800, 2000} {
		scenes = append(scenes, scene{
			fmt.Sprintf("%d inputs a second", rate), fmt.Sprintf("revoked within %d inputs", revokeInputs(rate)),
			func(s *stage) error { return s.flood(rate) },
		})
	}
	return append(scenes, scene{
		fmt.Sprintf("%d inputs at once after a path has stalled for %v", fastTick*int(stallTime/time.Second), stallTime),
		"the player lives", stalled,
	})
}

// "Behaviour past the revocation line revokes the session." PROTOCOL.md 4.10
func (s *stage) flood(rate int) error {
	p, err := s.join()
	if err != nil {
		return err
	}
	sent, took := p.pace(rate, floodTime)
	reason := p.reason()
	out := !p.lives() && (reason == session.ReasonRate || reason == session.ReasonRevoked)
	if p.lives() {
		s.saw(false, "lives on after %d inputs in %v", sent, took.Round(time.Millisecond))
	} else {
		s.saw(out && sent <= revokeInputs(rate), "%v after %v and %d inputs", reason, took.Round(time.Millisecond), sent)
	}
	if s.target.Trail != nil {
		revoked := s.await(func() bool { return s.revocations() == 1 })
		s.saw(revoked, "%d revocations audited", s.revocations())
	}
	return nil
}

// revokeInputs is how many inputs at that rate a bot may send until it is out. They are counted and not the time:
// on a busy machine a bot sends fewer than it would.
func revokeInputs(rate int) int { return int(float64(rate) * revokeTime.Seconds()) }

func (s *stage) revocations() (n uint64) {
	for what, count := range s.decisions() {
		if strings.HasPrefix(what, "revoke ") {
			n += count
		}
	}
	return n
}

// stalled plays a second, holds its inputs back and sends them at once, as a path does, and plays on.
func stalled(s *stage) error {
	p, err := s.join()
	if err != nil {
		return err
	}
	sent, _ := p.pace(fastTick, time.Second)
	var held [][]byte
	for range fastTick * int(stallTime/time.Second) {
		held = append(held, p.seal(p.envelope()))
	}
	time.Sleep(stallTime)
	p.write(held...)
	after, _ := p.pace(fastTick, time.Second)
	sent += after + len(held)
	got, answers := p.delivered()
	s.saw(p.lives() && answers, "lives, %d of %d delivered", got, sent)
	return nil
}

// pace sends inputs at an even rate for a while, or until the session is over, and returns how many
// and how long it took. Like a game on a machine that is busy with other things, it makes up for no
// more than the last quarter of a second.
func (p *raw) pace(rate int, long time.Duration) (sent int, took time.Duration) {
	began := time.Now()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for skipped := 0; p.lives() && took < long; {
		took = time.Since(began)
		due := int(took.Seconds()*float64(rate)) - skipped
		if late := due - sent - rate/4; late > 0 {
			due, skipped = due-late, skipped+late
		}
		for ; sent < due; sent++ {
			p.play(1)
		}
		select {
		case <-ticker.C:
		case <-p.ended:
		}
	}
	return sent, time.Since(began)
}
