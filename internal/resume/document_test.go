package resume

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
)

// These tests hold PROTOCOL.md, docs/fleet.md and the code together.

// Every byte map in a comment stands in docs/fleet.md 8, line for line.
func TestDocumentHasMaps(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	maps := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^//\t(?:offset )?size\n(?://\t.*\n)+`).FindAllString(string(source), -1) {
			maps++
			if m = strings.ReplaceAll(m, "//\t", ""); !strings.Contains(testkit.SectionOf(t, testkit.FleetDocument, "8"), "```text\n"+m+"```\n") {
				t.Errorf("%s: docs/fleet.md lacks the map\n%s", file, m)
			}
		}
	}
	if maps != 13 {
		t.Errorf("found %d maps, want 13", maps)
	}
}

// block is a vector of section 15.4: values by label, without the length or
// the field's head in front of a name, and paragraphs as they are, in hex.
type block struct {
	values     map[string]string
	paragraphs []string
}

var (
	docBlock = regexp.MustCompile("(?s)\\*\\*(ticket|proof) \\d+\\*\\*\n\n```text\n(.*?)```")
	docLine  = regexp.MustCompile(`(?m)^([0-9a-f]+) +([^:\n]+)(?:: (.*))?$`)
)

func readBlocks(t *testing.T) (tickets, proofs []block) {
	t.Helper()
	text := testkit.SectionOf(t, testkit.FleetDocument, "15.4") + testkit.Section(t, "15.4")
	for _, found := range docBlock.FindAllStringSubmatch(text, -1) {
		b, label := block{values: map[string]string{}}, ""
		for paragraph := range strings.SplitSeq(found[2], "\n\n") {
			var whole strings.Builder
			for _, line := range docLine.FindAllStringSubmatch(paragraph, -1) {
				if whole.WriteString(line[1]); line[2] != "..." {
					label = line[2]
				}
				if name, err := strconv.Unquote(line[3]); err == nil {
					b.values[label+" as text"] = name
				}
				b.values[label] += line[1]
			}
			b.paragraphs = append(b.paragraphs, whole.String())
		}
		if len(b.paragraphs) != 3 {
			t.Fatalf("%d paragraphs in\n%s", len(b.paragraphs), found[0])
		}
		if found[1] == "ticket" {
			tickets = append(tickets, b)
		} else {
			proofs = append(proofs, b)
		}
	}
	return tickets, proofs
}

// name is a value that stands behind its length, as the document spells it too.
func (b *block) name(t *testing.T, label string) string {
	t.Helper()
	bytes := unhex(b.values[label])
	name := string(bytes[2:])
	if len(name) != int(bytes[0])<<8|int(bytes[1]) {
		t.Errorf("%s has %d bytes, and says %x", label, len(name), bytes[:2])
	}
	if label == "network prefix" && name != "" {
		var p netip.Prefix
		if err := p.UnmarshalBinary([]byte(name)); err != nil {
			t.Error(err)
		}
		name = p.String()
	}
	if text := b.values[label+" as text"]; text != name {
		t.Errorf("%s is %q, and explained as %q", label, name, text)
	}
	return name
}

// The vectors of section 15.4, read line by line, are those of the file.
func TestVectorsOfDocument(t *testing.T) {
	tickets, proofs := readBlocks(t)
	var gotTickets []ticketVector
	for i, b := range tickets {
		v := b.values
		if b.name(t, "network prefix") == "" && v["network prefix"] != "0000" {
			t.Errorf("ticket %d has no network prefix as text", i+1)
		}
		gotTickets = append(gotTickets, ticketVector{
			fmt.Sprintf("ticket %d", i+1), v["fleet key id"], v["fleet key"], v["nonce"], contentFields{
				byte(number(v["version"])), byte(number(v["flags"])), byte(number(v["binding mode"])), uint32(number(v["epoch"])),
				v["session id"], int64(number(v["expiry"])), v["client next"], int64(number(v["issued"])),
				v["session name"], v["resumption key"], v["digest"], v["network prefix"][4:],
				b.name(t, "issuer"), b.name(t, "subject"), b.name(t, "token id"),
				b.name(t, "sign-in id"), b.name(t, "key id"), b.name(t, "scope"), v["identity"][4:],
			}, b.paragraphs[1], v["ticket"],
		})
	}
	if want := readTickets(t); !reflect.DeepEqual(gotTickets, want) {
		t.Errorf("docs/fleet.md has\n%+v\nthe file\n%+v", gotTickets, want)
	}
	var gotProofs []proofVector
	for i, b := range proofs {
		v := b.values
		head := "field ticket"
		hello := strings.Replace(b.paragraphs[1], v[head], v[head]+gotTickets[i].Ticket, 1)
		body := hello + b.paragraphs[2]
		gotProofs = append(gotProofs, proofVector{
			fmt.Sprintf("proof %d", i+1), v["secret"], v["resumption key"], v["binding mode"], v["exporter"], hello, v["proof"], body,
		})
		if want := hex.EncodeToString([]byte{0xff, 0, 32}); v["field proof"] != want {
			t.Errorf("proof %d: the field begins with %s, want %s", i+1, v["field proof"], want)
		}
	}
	if want := readProofs(t); !reflect.DeepEqual(gotProofs, want) {
		t.Errorf("PROTOCOL.md has\n%+v\nthe file\n%+v", gotProofs, want)
	}
}
