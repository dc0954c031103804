package attack

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

func stall() []scene {
	return []scene{{
		fmt.Sprintf("the server hangs for %v, %d players go on at %d inputs a second", hangTime, hangPlayers, fastTick),
		"nobody is put out", hang,
	}}
}

// "What counts is when a datagram arrived, not when the server came to read it." PROTOCOL.md 4.10
func hang(s *stage) error {
	if s.target.Hang == nil {
		return errors.New("nobody can make this server hang")
	}
	players := make([]*raw, hangPlayers)
	for i := range players {
		p, err := s.join()
		if err != nil {
			return err
		}
		players[i] = p
	}
	var playing sync.WaitGroup
	var sent atomic.Int64
	for _, p := range players {
		playing.Go(func() {
			n, _ := p.pace(fastTick, hangTime+2*aroundHang)
			sent.Add(int64(n))
		})
	}
	time.Sleep(aroundHang / 2) // the honest players have begun by then
	s.target.Hang(hangTime)
	playing.Wait()
	var delivered uint64
	for i, p := range players {
		n, answers := p.delivered()
		if delivered += n; !answers || !p.lives() {
			s.saw(false, "player %d is out: %v", i+1, p.reason())
		}
	}
	s.saw(true, "%d of %d inputs delivered", delivered, sent.Load())
	if s.target.Trail != nil {
		s.saw(s.revocations() == 0, "%d revocations audited", s.revocations())
	}
	dropped := s.drops()["rate"]
	s.saw(dropped == 0, "%d dropped for their rate", dropped)
	return nil
}
