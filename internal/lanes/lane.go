package lanes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// Mode is what a lane promises.
type Mode uint8

// The modes of lanes.
const (
	Unreliable Mode = 1 // each message whole or not at all, at most once
	Sequenced  Mode = 2 // as Unreliable, and never one older than the last delivered
	Reliable   Mode = 3 // each exactly once, in any order, or given up by age
	Ordered    Mode = 4 // each exactly once, in the order sent, or given up by age
	Latest     Mode = 5 // a value under a key: the newest arrives
)

var modeNames = [...]string{"mode 0", "unreliable", "sequenced", "reliable", "ordered", "latest"}

// String returns the mode's name.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

func (m Mode) repeats() bool { return m == Reliable || m == Ordered }

// Lane is what both ends know of a lane.
type Lane struct {
	Mode       Mode
	Priority   uint8         // 0 goes first
	Weight     uint8         // share among lanes of one priority; zero means 1
	MaxMessage int           // bytes; zero means wire.MaxFragment
	MaxAge     time.Duration // after which an unfinished message is given up; zero: never
	Credit     int           // bytes that may be begun at first, for Reliable and Ordered; zero means DefaultCredit, at least 4 × MaxMessage
	Queue      int           // bytes that the sender holds; zero means DefaultQueue, at least MaxMessage
	Insure     bool          // repeat short reliable messages while there is loss
	Parity     int           // parity frames for each message of several fragments, for Unreliable and Sequenced
	Input      bool          // its messages count as input, see Inputs
	Receipts   bool          // tell the sender of each message what became of it
}

// Table is the lanes of a session. It does not change and is shared by all endpoints.
type Table struct {
	lanes []Lane
	order []uint8 // lanes by priority

	background uint16 // mask of the lanes of the last priority, if there is another one
	longest    int    // the longest MaxMessage
}

// ErrConfig is matched by errors of configuration.
var ErrConfig = errors.New("lanes: bad configuration")

// NewTable checks lanes and fills in what is zero.
func NewTable(lanes []Lane) (*Table, error) {
	if len(lanes) == 0 || len(lanes) > wire.MaxLanes {
		return nil, fmt.Errorf("%w: %d lanes, want 1 to %d", ErrConfig, len(lanes), wire.MaxLanes)
	}
	t := &Table{lanes: slices.Clone(lanes)}
	for i := range t.lanes {
		if err := t.lanes[i].complete(); err != nil {
			return nil, fmt.Errorf("%w: lane %d: %w", ErrConfig, i, err)
		}
		t.order = append(t.order, uint8(i))
		t.longest = max(t.longest, t.lanes[i].MaxMessage)
	}
	slices.SortStableFunc(t.order, func(a, b uint8) int { return cmp.Compare(t.lanes[a].Priority, t.lanes[b].Priority) })
	last := t.lanes[t.order[len(t.order)-1]].Priority
	for i := range t.lanes {
		if t.lanes[i].Priority == last && t.lanes[t.order[0]].Priority != last {
			t.background |= 1 << i
		}
	}
	return t, nil
}

// Lane returns what both ends know of a lane.
func (t *Table) Lane(i int) *Lane { return &t.lanes[i] }

func (l *Lane) complete() error {
	l.Weight = max(l.Weight, 1)
	if l.MaxMessage == 0 {
		l.MaxMessage = wire.MaxFragment
	}
	if l.Credit == 0 {
		l.Credit = min(max(DefaultCredit, 4*l.MaxMessage), wire.MaxMessage)
	}
	if l.Queue == 0 {
		l.Queue = max(DefaultQueue, l.MaxMessage+messageCost)
	}
	longest := wire.MaxMessage
	if l.Mode == Latest {
		longest = wire.MaxFragment
	}
	switch {
	case l.Mode == 0:
		return errors.New("the Mode is missing")
	case l.Mode > Latest:
		return fmt.Errorf("%v is unknown", l.Mode)
	case l.MaxMessage < 1 || l.MaxMessage > longest:
		return fmt.Errorf("a MaxMessage of %d bytes, want 1 to %d for %v", l.MaxMessage, longest, l.Mode)
	case l.Credit < l.MaxMessage || l.Credit > wire.MaxMessage:
		return fmt.Errorf("a Credit of %d bytes, want MaxMessage to %d", l.Credit, wire.MaxMessage)
	case l.Queue < l.MaxMessage+messageCost:
		return fmt.Errorf("a Queue of %d bytes, want %d more than MaxMessage", l.Queue, messageCost)
	case l.Queue > 1<<30:
		return fmt.Errorf("a Queue of %d bytes, want at most 2^30", l.Queue)
	case l.Parity < 0 || l.Parity > wire.MaxParity || l.Parity > 0 && l.Mode > Sequenced:
		return fmt.Errorf("a Parity of %d, want 0 to %d for unreliable and sequenced, and 0 for the others", l.Parity, wire.MaxParity)
	case l.Parity > 0 && l.MaxMessage > wire.MaxParityFragments*wire.MaxFragment:
		return fmt.Errorf("a MaxMessage of %d bytes, want at most %d with Parity", l.MaxMessage, wire.MaxParityFragments*wire.MaxFragment)
	case l.MaxAge < 0 || l.MaxAge > maxAge:
		return fmt.Errorf("a MaxAge of %v, want 0 to %v", l.MaxAge, maxAge)
	}
	return nil
}
