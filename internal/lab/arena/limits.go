package arena

import "github.com/sallyport/sallyport/transport"

const (
	// Side is the length of the square in units: positions are 0 to Side, so that 16 bits hold one.
	Side = 65535

	// TopSpeed is the speed limit in units a second: the square is crossed in 8 s.
	TopSpeed = Side / 8.0

	// InputLen is the shortest input in bytes.
	InputLen = 16

	// snapshotLen is a snapshot's length in bytes without others, bodyLen that of one player in it.
	snapshotLen = 38
	bodyLen     = 8

	// MaxOthers is how many other players a snapshot shows, so that it fits one datagram.
	MaxOthers = (transport.MaxPayload - snapshotLen) / bodyLen

	// MaxTick is the most ticks a second: twice the fastest in use.
	MaxTick = 256
)
