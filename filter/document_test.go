package filter

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// docs/deploy.md has the budgets that the filter has.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := (&Config{Ports: []uint16{1}}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	grouped := func(n int) string {
		if n < 1000 {
			return fmt.Sprint(n)
		}
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	for _, row := range []struct {
		flag  string
		value int
	}{{"hellos", c.Hellos}, {"returns", c.Returns}, {"source", c.Source}, {"host", c.Host}, {"roamer", c.Roamer}} {
		if want := fmt.Sprintf("| %s | `-%s` |", grouped(row.value), row.flag); !strings.Contains(string(text), want) {
			t.Errorf("docs/deploy.md lacks %q", want)
		}
	}
	if c.Stale != 3*time.Second || !strings.Contains(strings.ReplaceAll(string(text), "\n", " "), "says nothing for 3 s") {
		t.Errorf("docs/deploy.md does not say that %v is how long a server may be silent", c.Stale)
	}
}

// The byte map of a RETURN has the first byte that the filter looks for.
func TestReturnByte(t *testing.T) {
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n### 9.10 ")
	if !ok {
		t.Skip("PROTOCOL.md has no section 9.10 yet: nobody sends a RETURN")
	}
	if _, section, ok = strings.Cut(section, "RETURN, from the client"); !ok || !strings.Contains(section[:min(len(section), 200)], fmt.Sprintf("type: %d\n", ReturnByte)) {
		t.Errorf("a RETURN does not begin with %d", ReturnByte)
	}
}
