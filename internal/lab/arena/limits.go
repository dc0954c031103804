package arena

import (
	"time"

	"github.com/sallyport/sallyport/transport"
)

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

	// LevelLen is the length of the level in bytes: some seconds of a slow line.
	LevelLen = 50_000

	// Leaders is how many ranks the scoreboard has.
	Leaders = 10

	// StampLen, newsLen and viewLen are the lengths in bytes of a stamp, of news and of a view
	// without bodies.
	StampLen = 8
	newsLen  = StampLen + 8
	viewLen  = StampLen + 14

	// viewEvery and sparkEvery are how many ticks lie between two views, and two sparks. viewsKept
	// is how many views are kept: at 60 Hz those of 3 s, which is longer than a round trip.
	viewEvery  = 3
	sparkEvery = 7
	viewsKept  = 64

	// maxViewed is how many players a view shows at most, MaxView the length of such a view in
	// bytes. Where more play, a snapshot shows some of them in each tick: to tell all about all
	// grows with the square of their number, and a game of so many would show each player those who
	// are near.
	maxViewed = 200
	MaxView   = viewLen + maxViewed*(2+bodyLen)

	// stale is the age after which a view or a spark is not worth sending.
	stale = 500 * time.Millisecond

	// MaxTick is the most ticks a second: twice the fastest in use.
	MaxTick = 256
)
