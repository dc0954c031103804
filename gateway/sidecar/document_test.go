package sidecar

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

func document(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/sidecar.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

// Every number in docs/sidecar.md is the code's.
func TestDocument(t *testing.T) {
	text := document(t)
	for what, says := range map[string]string{
		"game":    fmt.Sprintf("`-game %s`", DefaultGame),
		"own":     fmt.Sprintf("`-own %s`", DefaultOwn),
		"alive":   fmt.Sprintf("The sidecar sends ALIVE every %d ms.", aliveEvery.Milliseconds()),
		"silence": "`-silence`, 1 s by default",
		"longest": "A datagram has at most 60,024 bytes.",
		"behind":  "until 16,384 datagrams or 32 MiB wait",
		"lengths": "24 … body",
		"causes":  fmt.Sprintf("%d no such lane, %d a reason that is not the game's to give, %d no such verdict, %d the lane's queue is full because the player's line is slow, %d too long", FaultLane, FaultReason, FaultVerdict, FaultFull, FaultLong),
	} {
		if !strings.Contains(text, says) {
			t.Errorf("%s: it does not say %q", what, says)
		}
	}
	if DefaultSilence.Seconds() != 1 || maxDatagram != 60_024 || queueCount != 16_384 || queueBytes != 32<<20 || HeaderLen != 24 {
		t.Error("a limit is another one than in the document")
	}
	for kind, name := range map[Kind]string{Alive: "ALIVE", Joined: "JOINED", Data: "DATA", Left: "LEFT", Kick: "KICK", Judge: "JUDGE", Refused: "REFUSED"} {
		if row := fmt.Sprintf("| %d | %s |", kind, name); !strings.Contains(text, row) {
			t.Errorf("it has no row %q", row)
		}
	}
	for field, name := range map[Field]string{
		FieldIssuer: "issuer", FieldSubject: "subject", FieldScope: "scope", FieldPlatform: "platform", FieldBuild: "build",
		FieldSession: "session", FieldExpires: "expires", FieldMetadata: "metadata", FieldIdentity: "identity",
	} {
		if row := fmt.Sprintf("| %d | %s |", field, name); !strings.Contains(text, row) {
			t.Errorf("it has no row %q", row)
		}
	}
}

// Quotations of docs/sidecar.md in the tests of this package are what it says.
func TestQuotations(t *testing.T) {
	text, found := document(t), 0
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	quotation := regexp.MustCompile(`(?s)"([^"]+)"\s+(?:// )?docs/sidecar\.md`)
	comment := regexp.MustCompile(`\n\s*// ?`)
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		b, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range quotation.FindAllStringSubmatch(string(b), -1) {
			found++
			if rule := strings.Join(strings.Fields(comment.ReplaceAllString(q[1], " ")), " "); !strings.Contains(text, rule) {
				t.Errorf("%s: docs/sidecar.md does not say %q", e.Name(), rule)
			}
		}
	}
	if found < 8 {
		t.Errorf("%d quotations", found)
	}
}
