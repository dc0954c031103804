package transport

import (
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
	"github.com/sallyport/sallyport/internal/machine"
)

// lanesConfig is what either end knows of lanes that have been agreed on, where next is its next
// sequence.
func lanesConfig(l *machine.Lanes, next uint64, random func() uint64) lanes.Config {
	return lanes.Config{
		Table: l.Table, Base: l.Base, Next: next, PeerDelay: l.PeerDelay, PeerCredit: l.PeerCredit, Random: random,
	}
}

// sequencer counts what leaves; machine.Conn and machine.Client are.
type sequencer interface {
	Sequence() uint64
	LeaveOut()
}

// nextFrames appends the body of the datagram that is to leave under the next sequence, if one is due.
// It uses up the numbers that lanes leave out.
func nextFrames(dst []byte, e *lanes.Endpoint, now time.Duration, of sequencer) ([]byte, bool) {
	for e.LeaveOut(of.Sequence() + 1) {
		of.LeaveOut()
	}
	return e.Append(dst, now, of.Sequence()+1)
}
