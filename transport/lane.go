package transport

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/internal/lanes"
)

// Mode is what a Lane promises of its messages.
type Mode uint8

// The modes of lanes.
const (
	Unreliable Mode = 1 // each message whole or not at all, at most once: effects, voice
	Sequenced  Mode = 2 // as Unreliable, and never one older than the last delivered: snapshots, inputs
	Reliable   Mode = 3 // each message exactly once, in any order, or given up by age: independent events
	Ordered    Mode = 4 // each message exactly once, in the order sent, or given up by age: chat, RPC
	Latest     Mode = 5 // a value under a key: the newest arrives, what it replaces is not sent again: doors, scores
)

var modeNames = [...]string{Unreliable: "unreliable", Sequenced: "sequenced", Reliable: "reliable", Ordered: "ordered", Latest: "latest"}

// String returns the mode as a word, or "mode N".
func (m Mode) String() string {
	if m >= Unreliable && m <= Latest {
		return modeNames[m]
	}
	return "mode " + strconv.Itoa(int(m))
}

// Lane is one of up to 16 channels for a session's messages, in both directions. The server chooses
// its lanes, in Config.Lanes, and tells the client; a lane's number is its index there.
type Lane struct {
	// Mode is what the lane promises. It is required.
	Mode Mode

	// Priority orders lanes: messages of priority 0 leave first. Weight is a lane's share among
	// lanes of one priority; zero means 1.
	Priority, Weight uint8

	// MaxMessage is the longest message in bytes, 1 to 16,777,215; 1,088 for Latest, and 34,816 with
	// Parity. Zero means 1,088, which fits one datagram. Negative is an error.
	MaxMessage int

	// MaxAge is how long a message is worth sending: a message that has not arrived by then is given
	// up. It counts in whole milliseconds. Zero means for ever; negative is an error. Latest ignores
	// it: a value has no age.
	MaxAge time.Duration

	// Credit is how many bytes of messages either end may have begun to send that the game at the
	// other end has not taken yet, for Reliable and Ordered: MaxMessage to 16,777,215. Zero means
	// 65,536, or four times MaxMessage if that is more. Negative is an error.
	Credit int

	// Queue is how many bytes the server queues for one player on this lane, counting 128 more for
	// each message: at least MaxMessage + 128. When it is full, Unreliable and Sequenced drop their
	// oldest message, and sending on the others returns ErrFull. Zero means 262,144, or MaxMessage +
	// 128 if that is more. Negative is an error.
	Queue int

	// Parity is how many parity frames each message of several fragments gets, 0 to 4, for
	// Unreliable and Sequenced: so many of its datagrams may be lost, at the price of as many more.
	Parity int

	// Input says that the messages of players are their input: session.Config.Behaviour counts each
	// as one state change.
	Input bool

	// Insure repeats short messages of Reliable and Ordered in the next datagrams while there is loss:
	// they arrive a round trip earlier, at the cost of more bytes. While lanes of the lowest priority
	// wait for the rate, repetitions take at most a twelfth of it, so a slow line does not repeat all
	// of them.
	Insure bool

	// Receipts has Handler.Receipt called for each message; Latest ignores it.
	Receipts bool
}

// tableOf checks lanes. The error matches ErrConfig and names the lane. Without lanes the table is
// nil.
func tableOf(list []Lane) (*lanes.Table, error) {
	if len(list) == 0 {
		return nil, nil
	}
	inner := make([]lanes.Lane, len(list))
	for i, l := range list {
		if min(l.MaxMessage, l.Credit, l.Queue, l.Parity) < 0 {
			return nil, badConfig(fmt.Sprintf("Lanes[%d]: no value may be negative", i))
		}
		inner[i] = lanes.Lane{
			Mode: lanes.Mode(l.Mode), Priority: l.Priority, Weight: l.Weight, MaxMessage: l.MaxMessage, MaxAge: l.MaxAge,
			Credit: l.Credit, Queue: l.Queue, Insure: l.Insure, Parity: l.Parity, Input: l.Input, Receipts: l.Receipts,
		}
	}
	t, err := lanes.NewTable(inner)
	if err != nil {
		return nil, badField("Lanes", err)
	}
	return t, nil
}
