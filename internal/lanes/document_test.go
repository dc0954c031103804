package lanes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
)

// The limits of lanes in PROTOCOL.md 12 are those of the code.
func TestDocumentLimits(t *testing.T) {
	text := strings.ReplaceAll(testkit.Section(t, "12"), ",", "")
	for _, row := range []string{
		fmt.Sprintf("| lanes | %d |", wire.MaxLanes),
		fmt.Sprintf("| message | %d bytes |", wire.MaxMessage),
		fmt.Sprintf("| fragment | %d bytes |", wire.MaxFragment),
		fmt.Sprintf("| message with parity | %d bytes |", wire.MaxParityFragments*wire.MaxFragment),
		fmt.Sprintf("| parity frames of a message | %d |", wire.MaxParity),
		fmt.Sprintf("| ranges of an ACK | %d |", wire.MaxAckRanges),
		fmt.Sprintf("| ids of a lane under way modes 3 and 4 | %d |", MaxSpan),
		fmt.Sprintf("| messages of a lane put together modes 1 and 2 | %d |", MaxPartials),
		fmt.Sprintf("| bytes of a session put together modes 1 and 2 | %d or one message |", MaxReassembly),
		fmt.Sprintf("| keys of a lane mode 5 | %d |", MaxKeys),
		fmt.Sprintf("| age of an id mode 5 | %d |", MaxStale),
		fmt.Sprintf("| numbers that can still be acknowledged | %d |", MaxWindow),
		fmt.Sprintf("| first credit of a lane | %d KiB or four of its largest messages if that is more |", DefaultCredit>>10),
		fmt.Sprintf("| queue of a lane | %d KiB |", DefaultQueue>>10),
		fmt.Sprintf("| delay of acknowledgements | %d ms |", defaultDelay.Milliseconds()),
	} {
		if !strings.Contains(text, row) {
			t.Errorf("section 12 lacks %q", row)
		}
	}
}

// The names of modes in PROTOCOL.md 16.1 are those of the code.
func TestDocumentModes(t *testing.T) {
	text := testkit.Section(t, "16.1")
	for m := Unreliable; m <= Latest; m++ {
		if row := fmt.Sprintf("| %d | %v | ", uint8(m), m); !strings.Contains(text, row) {
			t.Errorf("section 16.1 lacks %q", row)
		}
	}
}
