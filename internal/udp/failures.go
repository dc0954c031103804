package udp

import "time"

// Failures counts the reads of a socket that have failed one after the other. Most of
// them say nothing about the next one: a datagram that was too long for the buffer, or
// an ICMP message about a player who is gone. Anybody can cause those, as many as the
// line carries, so a reader does not wait for them. Only a socket that does nothing but
// fail, and at once, would keep a processor busy.
type Failures int

// Pause is called after a read that has failed. It sleeps for FailurePause after each
// FailuresInRow of them.
func (f *Failures) Pause() {
	if *f++; *f%FailuresInRow == 0 {
		time.Sleep(FailurePause)
	}
}

// End is called after a read that has not failed.
func (f *Failures) End() { *f = 0 }
