package filter

// Verdict is why a packet has passed or was dropped.
type Verdict int

// The verdicts, in the order of filter.bpf.c.
const (
	PassOther    Verdict = iota // it is no datagram to a filtered port
	PassOpen                    // the port's server says nothing
	PassFragment                // a fragment but the first of a datagram
	PassPeer                    // from a known address
	PassRoamer                  // with a known connection id, from an unknown address
	PassHello                   // of a handshake, from an unknown address
	PassReturn                  // the same, with proof of its address
	PassHost                    // the same, from a host at which somebody has played lately
	DropStranger                // from an unknown address, and of no handshake
	DropHellos                  // of a handshake: the budget of all unknown addresses is spent
	DropReturns                 // the same, with proof of its address
	DropSource                  // of a handshake: the budget of its /24 or /48 is spent
	DropRoamer                  // with a known connection id whose budget is spent
	DropChain                   // IPv6 with more than six extension headers
	NumVerdicts
)

var verdicts = [NumVerdicts]string{
	"other traffic", "passed: no server", "fragments", "passed: peers", "passed: changed address", "passed: handshakes",
	"passed: proven handshakes", "passed: handshakes of known hosts", "dropped: strangers", "dropped: handshakes",
	"dropped: proven handshakes", "dropped: handshakes of one network", "dropped: changed address", "dropped: header chains",
}

// String returns the verdict as the program's table has it.
func (v Verdict) String() string {
	if v < 0 || v >= NumVerdicts {
		return "unknown"
	}
	return verdicts[v]
}

// Drops reports whether it is one of those that drop the packet.
func (v Verdict) Drops() bool { return v >= DropStranger && v < NumVerdicts }

// Counts are how many packets each verdict had, since the program was loaded.
type Counts [NumVerdicts]uint64

// Dropped returns how many packets were dropped.
func (c *Counts) Dropped() (n uint64) {
	for v := DropStranger; v < NumVerdicts; v++ {
		n += c[v]
	}
	return n
}
