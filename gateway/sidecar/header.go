package sidecar

import (
	"encoding/binary"
	"errors"
)

// Kind is what a datagram between sidecar and game says.
type Kind uint8

// The kinds of version 1.
const (
	Alive   Kind = 1 // both ways: the sender lives
	Joined  Kind = 2 // to the game: a player is there
	Data    Kind = 3 // both ways: a payload or a message of a player, or for one
	Left    Kind = 4 // to the game: a player is gone
	Kick    Kind = 5 // from the game: end a session
	Judge   Kind = 6 // from the game: its verdict on a player's behaviour
	Refused Kind = 7 // to the game: a Data or Kick of it had no effect
)

// PayloadLane is the lane of payloads in a header.
const PayloadLane = 255

// Header begins each datagram; docs/sidecar.md has its bytes.
type Header struct {
	Kind Kind
	Lane uint8 // of Data: 0 to 15, or PayloadLane; of Joined 1 if the client uses lanes, and 2 if the player is not new
	// Code is the origin of Joined, the reason of Left and Kick, the verdict of Judge, the cause of Refused.
	Code uint8
	// Run is a random number that the sender has drawn when it began, never 0; Peer is the other side's, as
	// far as the sender knows, 0 if it does not.
	Run, Peer uint32
	// Handle names a player, 0 where the datagram is about none.
	Handle uint32
	// Number counts what the sidecar repeats until the game has it, from 1; 0 is not repeated. From the
	// game it is the last number that it has taken.
	Number uint32
	// Key is that of a lane of mode latest.
	Key uint32
}

// Errors of Parse.
var (
	ErrShort   = errors.New("sidecar: a datagram is shorter than a header: send at least 24 bytes")
	ErrVersion = errors.New("sidecar: a datagram is of another version: this sidecar speaks version 1")
)

// Parse reads a header and returns what follows it, which is part of b. It does not judge whether the
// fields make sense.
func Parse(b []byte) (h Header, body []byte, err error) {
	if len(b) > 0 && b[0] != Version {
		return h, nil, ErrVersion
	}
	if len(b) < HeaderLen {
		return h, nil, ErrShort
	}
	return Header{
		Kind: Kind(b[1]), Lane: b[2], Code: b[3],
		Run: binary.BigEndian.Uint32(b[4:]), Peer: binary.BigEndian.Uint32(b[8:]),
		Handle: binary.BigEndian.Uint32(b[12:]), Number: binary.BigEndian.Uint32(b[16:]), Key: binary.BigEndian.Uint32(b[20:]),
	}, b[HeaderLen:], nil
}

// AppendTo appends the header's HeaderLen bytes to dst.
func (h Header) AppendTo(dst []byte) []byte {
	dst = append(dst, Version, byte(h.Kind), h.Lane, h.Code)
	dst = binary.BigEndian.AppendUint32(dst, h.Run)
	dst = binary.BigEndian.AppendUint32(dst, h.Peer)
	dst = binary.BigEndian.AppendUint32(dst, h.Handle)
	dst = binary.BigEndian.AppendUint32(dst, h.Number)
	return binary.BigEndian.AppendUint32(dst, h.Key)
}
