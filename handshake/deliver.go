package handshake

// Verdict is what became of a datagram.
type Verdict uint8

// The three answers of Deliver.
const (
	Refused Verdict = iota // breaks a rule or a limit: drop it
	Taken                  // the engine gets what it needs of it
	Divert                 // it holds records for the record layer: keep it, within limits, for the Result
)

// String returns the verdict in lower case.
func (v Verdict) String() string {
	switch v {
	case Taken:
		return "taken"
	case Divert:
		return "divert"
	}
	return "refused"
}

// Deliver judges a datagram from the peer and copies what the engine may see of it, now or later. It is safe
// beside the engine, from one goroutine at a time.
func (c *Conn) Deliver(datagram []byte) Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(datagram) == 0 || len(datagram) > maxDatagram:
		return Refused
	case c.over:
		return Divert
	case c.closed:
		return Refused
	case c.server && !c.Proven() && !c.filter.hello(datagram):
		return Refused
	}
	now, f := c.filter.sift(datagram)
	if len(now) > 0 {
		c.inbox = append(c.inbox, now)
		c.wake.Signal()
	}
	switch {
	case f == divert:
		return Divert
	case f == later || len(now) > 0:
		return Taken
	}
	return Refused
}
