package session

import (
	"os"
	"regexp"
	"testing"
)

// reason is a line that defines one.
var reason = regexp.MustCompile(`(?m)^\t(Reason\w+) +Reason = (\w+)`)

// Users read the numbers here; they are those of the wire.
func TestReasonNumbers(t *testing.T) {
	here, wire := reasons(t, "reason.go"), reasons(t, "../internal/wire/reason.go")
	if len(here) != len(wire) || len(here) < 20 {
		t.Errorf("%d reasons, %d on the wire", len(here), len(wire))
	}
	for name, number := range wire {
		if here[name] != number {
			t.Errorf("%s is %q, on the wire %s", name, here[name], number)
		}
	}
}

func reasons(t *testing.T, file string) map[string]string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, m := range reason.FindAllStringSubmatch(string(source), -1) {
		found[m[1]] = m[2]
	}
	return found
}
