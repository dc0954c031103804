package machine

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
)

// section is a section's words, each after one space.
func section(t *testing.T, number string) string {
	t.Helper()
	return strings.Join(strings.Fields(testkit.Section(t, number)), " ")
}

// The defaults of PROTOCOL.md 12 are those of the code.
func TestDocumentDefaults(t *testing.T) {
	text := section(t, "12")
	for _, row := range []string{
		"| from handshake to HELLO, and from HELLO to the verdict | " + strconv.Itoa(int(helloTimeout.Seconds())) + " s |",
		"| window | 1,024 numbers (64 to 8,192) |",
		"| overlap of epochs | " + strconv.Itoa(int(serverDefaults.Overlap.Seconds())) + " s |",
		"| idle | " + strconv.Itoa(int(session.DefaultIdle.Seconds())) + " s |",
		"| rate | " + strconv.Itoa(defaultBehaviour.Datagrams) + " datagrams a second, " + strconv.Itoa(defaultBehaviour.DatagramBurst) + " at once |",
		"| payload and bodies of FRAMES | " + strconv.Itoa(defaultBehaviour.Bytes>>10) + " KiB a second, " + strconv.Itoa(defaultBehaviour.ByteBurst>>10) + " KiB at once |",
		"| state changes in a second: recorded, dropped, revoked | more than " + strconv.Itoa(defaultBehaviour.Flag) + ", " +
			strconv.Itoa(defaultBehaviour.Limit) + ", " + strconv.Itoa(defaultBehaviour.Revoke) + " |",
		"| what a silence, or less than usual, raises the last of these by | " + strconv.Itoa(defaultBehaviour.Datagrams) + " a second, 2,560 in all |",
		"| step up | " + strconv.Itoa(int(defaultStepUpTime.Seconds())) + " s |",
		"| more for tokens that wait for their verification | " + strconv.Itoa(int(maxTokenWait.Seconds())) + " s |",
		"| at home until a step up is settled | " + strconv.Itoa(int(homeTime.Seconds())) + " s |",
		"| sessions of one player | " + strconv.Itoa(session.DefaultMaxPerSubject) + " |",
		"| silence of a session that gives way to another of its player | " + strconv.Itoa(int(silentTime.Seconds())) + " s |",
		"one for each quarter of a token's life", // renewalsOfLife
		"| entries of what counts once | seats × (minutes of the longest life of a token + " + strconv.Itoa(tokensOfSession+1) +
			"), 65,536 to 4,194,304 |",
		"| entries of one player | " + strconv.Itoa(int(time.Minute/shareEvery)) + " for each minute of the longest life of a token, " +
			strconv.Itoa(minShare) + " at least |",
		"| wrong tags in a row | " + strconv.Itoa(serverDefaults.BadTags) + " |",
	} {
		if !strings.Contains(text, row) {
			t.Errorf("section 12 lacks %q", row)
		}
	}
	if serverDefaults.Window != 1024 {
		t.Errorf("DefaultWindow %d", serverDefaults.Window)
	}
	if renewalsOfLife != 4 || minRemembered != 65_536 || maxRemembered != 4_194_304 {
		t.Error("section 12 has other limits of what is remembered")
	}
}
