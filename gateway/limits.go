package gateway

import "time"

const (
	// maxPlayers is how many players a gateway can have: a handle has 16 bits for the place.
	maxPlayers = 60_000

	// places is how many places handles name, and so how many stays there are at once, those that are
	// about to end and those of players who resume while it is full included.
	places = 1 << 16

	// lookEvery is how often the backend is asked whether it is ready: often enough that an outage of a
	// second is seen, and its end.
	lookEvery = 100 * time.Millisecond
)
