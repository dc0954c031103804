package sallyport_test

import (
	"os"
	"strings"
	"testing"
)

// The code of README.md under "Messages" is that of an example, which runs. A game's own netcode has
// under 20 lines.
func TestReadmeMessages(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("transport/example_messages_test.go")
	must(t, err)
	text, blocks, netcode := string(source), fence.FindAllStringSubmatch(readme(t, "Messages"), -1), 0
	for _, block := range blocks {
		if block[2] != "go" || !strings.Contains(text, block[3]) {
			t.Errorf("the example does not have\n%s", block[3])
		}
		netcode += strings.Count(block[3], "\n")
	}
	if len(blocks) != 3 {
		t.Fatalf("%d blocks of code", len(blocks))
	}
	if netcode -= strings.Count(blocks[0][3], "\n"); netcode >= 20 {
		t.Errorf("%d lines of netcode", netcode)
	}
}
