// Package matchdata is how match data of a Nakama server travels to and from players who have UDP: op
// code and data as bytes, and the lanes for what fits no datagram or must arrive. Package nakamabridge
// describes both for clients; a gateway in front of Nakama speaks the same, so that one client plays
// by either.
package matchdata

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// The numbers of the lanes.
const (
	Reliable   = 0
	Unreliable = 1
)

const (
	// MaxReliable and MaxUnreliable are the longest messages of the lanes in bytes, op code included:
	// a world as JSON, and what parity can cover.
	MaxReliable   = 64 << 10
	MaxUnreliable = 34_816

	// ReliableQueue is how many bytes of reliable messages wait for a player, 128 for each message
	// included: those of the 30 s of silence after which a session ends anyway, at 34 KB/s. A player
	// who acknowledges nothing makes the server hold that, and 256 KiB of the other lane.
	ReliableQueue = 1 << 20

	// UnreliableAge is how long an unreliable message waits for a slow path: the next ones are more
	// worth sending.
	UnreliableAge = 500 * time.Millisecond
)

// Lanes returns the two lanes, by their numbers. Messages of players count as their input, as payloads
// do.
func Lanes() []transport.Lane {
	return []transport.Lane{
		Reliable: {
			Mode: transport.Ordered, MaxMessage: MaxReliable, Credit: 2 * MaxReliable, Queue: ReliableQueue, Input: true, Insure: true,
		},
		Unreliable: {
			Mode: transport.Unreliable, Priority: 1, MaxMessage: MaxUnreliable, MaxAge: UnreliableAge, Parity: 1, Input: true,
		},
	}
}

// ErrForm means that the bytes do not begin with an op code.
var ErrForm = errors.New("matchdata: no op code")

// Parse parses an op code and the data behind it. data is part of b and lives as long as b does.
func Parse(b []byte) (op int64, data []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > math.MaxInt64 || n > 1 && b[n-1] == 0 {
		return 0, nil, ErrForm
	}
	return int64(v), b[n:], nil
}

// Append appends op code, sender and data to dst. sender is empty for a client that has not asked for
// it. It returns false for a negative op code, and for data with which it has more than limit bytes.
func Append(dst []byte, limit int, op int64, sender, data []byte) ([]byte, bool) {
	if op < 0 || len(data) >= limit {
		return dst, false // data for sockets may be long, and is not copied
	}
	from := len(dst)
	b := append(append(binary.AppendUvarint(dst, uint64(op)), sender...), data...)
	return b, len(b)-from <= limit
}

// Sender is a user id in binary, as a client gets it that has asked for the sender; zero for a text
// that is no UUID (RFC 9562 section 4), as the empty one.
func Sender(userID string) (id [16]byte) {
	digits := strings.ReplaceAll(userID, "-", "")
	if b, err := hex.DecodeString(digits); err == nil && len(b) == len(id) {
		return [16]byte(b)
	}
	return id
}
