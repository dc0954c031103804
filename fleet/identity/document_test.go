package identity_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fleet/identity"
)

// document is docs/fleet.md.
func document(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// configuration is the block of nats-server's configuration in docs/fleet.md 17.5.
func configuration(t *testing.T) string {
	t.Helper()
	_, section, ok := strings.Cut(document(t), "\n### 17.5 ")
	_, section, ok2 := strings.Cut(section, "```text\n")
	text, _, ok3 := strings.Cut(section, "```")
	if !ok || !ok2 || !ok3 {
		t.Fatal("docs/fleet.md 17.5 has no configuration")
	}
	return text
}

// The table of docs/fleet.md 17.2 is that of the code.
func TestDocumentPermissions(t *testing.T) {
	t.Parallel()
	if !strings.Contains(document(t), matrix()) {
		t.Errorf("docs/fleet.md 17.2 lacks\n%s", matrix())
	}
}

// The table of docs/fleet.md 17.3 has every Refusal, in order.
func TestDocumentRefusals(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	want.WriteString("| cause | meaning |\n|---|---|\n")
	for r := identity.NoCertificate; r <= identity.NotPermitted; r++ {
		text := strings.TrimPrefix(r.Error(), "identity: ")
		want.WriteString("| `" + r.String() + "` | " + strings.ToUpper(text[:1]) + text[1:] + ". |\n")
	}
	if !strings.Contains(document(t), want.String()+"\n") {
		t.Errorf("docs/fleet.md 17.3 lacks\n%s", want.String())
	}
}
