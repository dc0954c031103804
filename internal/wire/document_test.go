package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// These tests hold PROTOCOL.md and the code together.

var mapRow = regexp.MustCompile(`(?m)^ +(\d+) {3,}(?:(\d+)  )? *(\S.*)$`)

// Every byte map in a comment stands in PROTOCOL.md, line for line.
func TestDocumentHasMaps(t *testing.T) {
	doc := testkit.Protocol(t)
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
		for _, m := range regexp.MustCompile(`(?m)^//\toffset size\n(?://\t.*\n)+`).FindAllString(string(source), -1) {
			maps++
			if m = strings.ReplaceAll(m, "//\t", ""); !strings.Contains(doc, m) {
				t.Errorf("%s: PROTOCOL.md lacks the map\n%s", file, m)
			}
		}
	}
	if maps != 17 {
		t.Errorf("found %d maps, want 17", maps)
	}
}

// Every row of a map in PROTOCOL.md is where the code writes the value.
func TestDocumentOffsets(t *testing.T) {
	u16, u32, u64 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32, binary.BigEndian.AppendUint64
	e := Envelope{KindData, 3, 0x01020304, 0x05060708, sampleTag, []byte("body")}
	h := Hello{
		Nonce: sampleNonce, Binding: 1, NextSend: 0x0102, NextReceive: 0x0304, Features: 0x0506,
		Ticket: []byte("ticket"), Proof: counting(9, ProofLen),
	}
	hl, wl, spec := sampleHelloLanes, sampleWelcomeLanes, sampleWelcomeLanes.Lanes[1]
	w := Welcome{
		sampleNonce, 0x01020304, 9, sampleSecret, 0x1112, 0x1314, 0x1516, 0x1718, 0x191a, 0x1b1c,
		Limits{1, 2, 3},
		[]byte("ticket"),
		WelcomeLanes{},
	}
	l := Limits{MaxPayload: 0x0102, Rate: 0x03040506, Idle: 0x0708090a}
	limits := l.bytes()
	r := Renewed{Epoch: 2, Secret: sampleSecret, Expiry: 0x1112, Ticket: []byte("ticket"), ServerTime: 0x1314}
	var block [16]byte
	TagInput(&block, KindData, 3, 0x01020304, 0x05060708090a0b0c, 0x0d0e)

	for _, test := range []struct {
		section string
		which   int // map of the section
		encoded []byte
		rows    [][]byte
	}{
		{"2.1", 0, e.AppendTo(nil), [][]byte{{0x13}, {3}, u32(nil, e.Session), u32(nil, e.Seq), e.Tag[:], e.Body}},
		{"2.5", 0, appendField(nil, 3, []byte("linux")), [][]byte{{3}, {0, 5}, []byte("linux")}},
		{"2.6", 0, Part{5120, 1024, []byte("x")}.AppendTo(nil), [][]byte{u16(nil, 5120), u16(nil, 1024), []byte("x")}},
		{"3.1", 0, h.AppendTo(nil), [][]byte{
			h.Nonce[:],
			{1},
			u64(nil, h.NextSend), u64(nil, h.NextReceive), u32(nil, h.Features),
			appendField(appendField(nil, 2, h.Ticket), 255, h.Proof),
		}},
		{"3.2", 0, w.AppendTo(nil), [][]byte{
			w.Nonce[:], u32(nil, w.Session), u32(nil, w.Epoch), w.Secret[:], u64(nil, w.ClientNext),
			u64(nil, w.ServerNext), u32(nil, w.Features), u32(nil, w.ConnectionID), u64(nil, uint64(w.Expiry)),
			u64(nil, uint64(w.ServerTime)),
			appendField(appendField(nil, 2, w.Ticket), 6, []byte{0, 1, 0, 0, 0, 2, 0, 0, 0, 3}),
		}},
		{"3.2", 1, limits[:], [][]byte{u16(nil, l.MaxPayload), u32(nil, l.Rate), u32(nil, l.Idle)}},
		{"3.4", 0, Renew{[]byte("x")}.AppendTo(nil), [][]byte{[]byte("x")}},
		{"3.5", 0, r.AppendTo(nil), [][]byte{
			u32(nil, 2), r.Secret[:], u64(nil, uint64(r.Expiry)), appendField(appendField(nil, 2, r.Ticket), 9, u64(nil, uint64(r.ServerTime))),
		}},
		{"3.6", 0, Ping{[8]byte{1, 2}}.AppendTo(nil), [][]byte{{1, 2, 0, 0, 0, 0, 0, 0}}},
		{"3.7", 0, Pong{[8]byte{1, 2}, true, true, 3, 4, 5}.AppendTo(nil), [][]byte{{1, 2, 0, 0, 0, 0, 0, 0}, u64(u64(u32(nil, 3), 4), 5)}},
		{"3.8", 0, CloseBody{3, 4, []byte("x")}.AppendTo(nil), [][]byte{{3}, u32(nil, 4), []byte("x")}},
		{"3.9", 0, BearerBody{[]byte("xy"), []byte("z")}.AppendTo(nil), [][]byte{{0, 2}, []byte("xyz")}},
		{"3.10", 0, NoticeBody{3, 4, []byte("x")}.AppendTo(nil), [][]byte{{3}, u32(nil, 4), []byte("x")}},
		{"16.2", 0, hl.appendTo(nil), [][]byte{u32(nil, 0x0a0b0c0d), {16}, u32(u32(nil, 0), 32768)}},
		{"16.2", 1, wl.AppendTo(nil), [][]byte{u32(nil, 0x0a0b0c0d), {16}, u32(nil, 262144), wl.AppendTo(nil)[9:]}},
		{"16.2", 2, spec.appendTo(nil), [][]byte{{3}, {1}, {2}, {0x30}, {0, 4, 0x40}, {1, 0, 0}, u32(nil, 2500)}},
		{"6.4", 0, block[:], [][]byte{{0x13}, {3}, block[2:6], u64(nil, 0x05060708090a0b0c), {0x0d, 0x0e}}},
	} {
		maps := strings.Split(testkit.Section(t, test.section), "offset size\n")
		if len(maps) < test.which+2 {
			t.Errorf("section %s lacks map %d", test.section, test.which)
			continue
		}
		text, _, _ := strings.Cut(maps[test.which+1], "```")
		rows := mapRow.FindAllStringSubmatch(text, -1)
		if len(rows) != len(test.rows) {
			t.Errorf("section %s: %d rows, want %d", test.section, len(rows), len(test.rows))
			continue
		}
		checkRows(t, test.section, rows, test.encoded, test.rows)
	}
}

func checkRows(t *testing.T, section string, rows [][]string, encoded []byte, want [][]byte) {
	t.Helper()
	end := 0
	for i, row := range rows {
		offset, _ := strconv.Atoi(row[1])
		size, err := strconv.Atoi(row[2])
		if err != nil {
			size = len(encoded) - offset // a row without a size is what remains
		}
		if offset != end || offset+size > len(encoded) {
			t.Fatalf("section %s: row %q does not follow the one before", section, row[0])
		}
		end = offset + size
		if got := encoded[offset:end]; !bytes.Equal(got, want[i]) {
			t.Errorf("section %s: row %q is %x, want %x", section, row[0], got, want[i])
		}
	}
	if end != len(encoded) {
		t.Errorf("section %s: the map ends at %d, the bytes at %d", section, end, len(encoded))
	}
}

// table returns the rows of the section's tables, as cells; those of its subsections are not among them.
func table(t *testing.T, number string) (rows [][]string) {
	t.Helper()
	text, _, _ := strings.Cut(testkit.Section(t, number), "\n### ")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "| ") {
			rows = append(rows, strings.Split(strings.Trim(line, "| "), " | "))
		}
	}
	return rows
}

// codes returns name by code for the rows whose code cell is a number.
func codes(t *testing.T, number string, name, code int) map[int]string {
	t.Helper()
	m := map[int]string{}
	for _, row := range table(t, number) {
		if n, err := strconv.Atoi(row[code]); err == nil {
			m[n] = row[name]
		}
	}
	return m
}

func TestDocumentCodes(t *testing.T) {
	for _, test := range []struct {
		section    string
		name, code int
		text       func(int) string
		count      int
	}{
		{"3", 0, 1, func(n int) string { return Kind(n).String() }, len(kindNames) - 1},
		{"3.10", 1, 0, func(n int) string { return NoticeCode(n).String() }, len(noticeNames) - 1},
		{"10", 1, 0, func(n int) string { return Reason(n).String() }, len(reasonNames) - 1},
	} {
		rows := codes(t, test.section, test.name, test.code)
		for n := 1; n <= test.count; n++ {
			if got, want := rows[n], test.text(n); got != want {
				t.Errorf("section %s: code %d is %q, want %q", test.section, n, got, want)
			}
		}
		if len(rows) != test.count {
			t.Errorf("section %s: %d codes, want %d", test.section, len(rows), test.count)
		}
	}
}

func TestDocumentKindHeadings(t *testing.T) {
	for k := KindHello; k <= KindFrames; k++ {
		if want := "\n### 3." + strconv.Itoa(int(k)) + " " + k.String() + "\n"; !strings.Contains(testkit.Protocol(t), want) {
			t.Errorf("PROTOCOL.md lacks the heading %q", want)
		}
	}
}

func TestDocumentFields(t *testing.T) {
	rows := codes(t, "2.5", 0, 1)
	want := map[int]string{
		int(fieldToken): "token", int(fieldTicket): "ticket", int(fieldPlatform): "platform", int(fieldBuild): "build",
		int(fieldScope): "scope", int(fieldLimits): "limits", int(fieldMetadata): "metadata", int(fieldLanes): "lanes", int(fieldTime): "time", int(fieldProof): "proof",
	}
	for n, name := range want {
		if rows[n] != name {
			t.Errorf("field %d is %q, want %q", n, rows[n], name)
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d fields, want %d", len(rows), len(want))
	}
}

func TestDocumentLimits(t *testing.T) {
	rows := map[string]string{}
	for _, row := range table(t, "12") {
		rows[row[0]] = strings.ReplaceAll(row[1], ",", "")
	}
	for name, n := range map[string]int{
		"UDP payload": MaxDatagram, "record overhead": record.Overhead, "header": HeaderLen, "body": MaxBody,
		"part": MaxPart, "whole body in parts": MaxHelloBody, "identity token": MaxToken, "ticket": MaxTicket,
		"platform, build, scope": MaxText, "metadata": MaxMetadata, "detail": MaxDetail,
	} {
		if want := strconv.Itoa(n) + " bytes"; rows[name] != want {
			t.Errorf("%s is %q, want %q", name, rows[name], want)
		}
	}
	if got, want := rows["partial body"], strconv.Itoa(int(PartialLife.Seconds()))+" s"; got != want {
		t.Errorf("partial body is %q, want %q", got, want)
	}
}

// The vectors of PROTOCOL.md are those of the file: name in bold, then lines of hex and what it is.
func TestDocumentVectors(t *testing.T) {
	file := readVectors(t)
	text, _, _ := strings.Cut(testkit.Section(t, "15.1"), "\n<!-- end of envelopes -->")
	text += testkit.Section(t, "15.2")
	blocks := regexp.MustCompile("(?s)\n\\*\\*([a-z ]+)\\*\\*\n\n```text\n(.*?)```").FindAllStringSubmatch(text, -1)
	for _, block := range blocks {
		var digits strings.Builder
		for line := range strings.Lines(block[2]) {
			first, _, _ := strings.Cut(line, " ")
			digits.WriteString(first)
		}
		got, err := hex.DecodeString(digits.String())
		if want, ok := file[block[1]]; !ok || err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v; want %x", block[1], got, err, want)
		}
	}
	if len(blocks) != len(file) {
		t.Errorf("PROTOCOL.md has %d vectors, the file %d", len(blocks), len(file))
	}
}

// "The codes 20 to 127 are for later versions." PROTOCOL.md 10
func TestDocumentGameReasons(t *testing.T) {
	last, game := int(ReasonRate), int(ReasonGame)
	for code := range 256 {
		if got, want := Reason(code).Defined(), code >= 1 && code <= last || code >= game; got != want {
			t.Errorf("code %d is defined: %v, want %v", code, got, want)
		}
	}
	row := strconv.Itoa(game) + " to 255 | game's reason"
	reserved := "codes " + strconv.Itoa(last+1) + " to " + strconv.Itoa(game-1) + " are for later"
	for _, text := range []string{row, reserved} {
		if !strings.Contains(testkit.Section(t, "10"), text) {
			t.Errorf("section 10 lacks %q", text)
		}
	}
}

// Packages wire and token do not import each other, and take tokens of the same length.
func TestTokenLength(t *testing.T) {
	if MaxToken != token.MaxLen {
		t.Errorf("HELLO carries tokens of %d bytes, and %d are verified", MaxToken, token.MaxLen)
	}
}
