package soak

import "time"

// leave waits until everything sent is accounted for, says goodbye and adds up.
func (s *stay) leave() {
	s.conn.Blackout(false) // if it was interrupted
	s.drain()
	s.leaving.Store(true)
	s.client.Close() //nolint:errcheck // the socket is gone either way
	<-s.ended
	r := s.run
	r.live.Add(-1)
	r.dropped.Add(s.dropped.Load())
	if sent, known := s.sent.Load(), s.delivered.Load()+s.dropped.Load(); known < sent {
		missed := min(sent-known, s.turn.allowance()+uint64(r.config.Hang.Seconds()*float64(r.config.Rate)))
		r.missed.Add(missed)
		r.lost.Add(sent - known - missed)
	} else {
		r.twice.Add(known - sent)
	}
	arriving := 1 - r.config.Impairment.Loss
	stayed := max(time.Since(s.began)-r.config.Blackout-r.config.Hang, 0)
	r.expected.Add(uint64(stayed.Seconds() * float64(s.rate.Load()) * arriving))
}

func (s *stay) drain() {
	deadline := time.After(drainTime)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for s.delivered.Load()+s.dropped.Load()+s.turn.lost() < s.sent.Load() {
		select {
		case <-ticker.C:
		case <-deadline:
			return
		case <-s.ended:
			return
		}
	}
	if s.run.config.impaired() {
		time.Sleep(settleTime)
	}
}
