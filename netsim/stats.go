package netsim

// Stats counts what happened to datagrams. Once nothing is in flight,
// Sent + Duplicated = Delivered + Refused + Lost + TailDropped + Unreachable + Overflowed.
type Stats struct {
	Sent        uint64 // written or injected
	Delivered   uint64 // put into a receive queue, or written to the real socket
	Refused     uint64 // by the tap
	Lost        uint64 // by Impairment.Loss, or in a blackout
	TailDropped uint64 // by a bottleneck whose queue was full
	Duplicated  uint64 // copies made
	Reordered   uint64 // held back, for the next datagram or for Late
	Corrupted   uint64 // bits flipped
	Unreachable uint64 // no such address, or closed before they were due
	Overflowed  uint64 // receive queue full
}
