package revocation

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/session"
)

// testKey returns a key that is always the same.
func testKey() SigningKey {
	k, err := NewSigningKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	if err != nil {
		panic(err)
	}
	return k
}

var testTime = time.Date(2026, 11, 28, 12, 0, 0, 123_456_000, time.UTC)

// everyRecord has a record of each kind and form.
func everyRecord() []Record {
	id := [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	until := testTime.Add(time.Hour)
	return []Record{
		{Kind: KindSubject, Issuer: "issuer", Value: "player"},
		{Kind: KindSubject, Issuer: "issuer", Value: "01020304-0506-4708-890a-0b0c0d0e0f10", IssuedBy: testTime.Add(-time.Minute)},
		{Kind: KindSubject, Issuer: "issuer", Value: "player", IssuedBy: testTime.Add(-time.Minute), byClock: true},
		{Kind: KindToken, Issuer: "other issuer", Value: "01020304-0506-4708-890A-0b0c0d0e0f10", Until: until},
		{Kind: KindSignIn, Issuer: "issuer", Value: strings.Repeat("s", maxText)},
		{Kind: KindKey, Issuer: strings.Repeat("i", maxText), Value: "k"},
		{Kind: KindBuild, Value: "1.0.3"},
		{Kind: KindSession, ID: id},
		{Kind: KindBan, Issuer: "issuer", Value: "player", Until: until, Reason: session.ReasonGame + 3, Note: strings.Repeat("n", maxNote)},
		{Kind: KindBan, Issuer: "issuer", Value: "player"},
		{Kind: KindLift, Issuer: "issuer", Value: "player"},
		{Kind: KindLift, Issuer: "issuer", Value: "player", Of: PublisherID{9}, At: testTime.Add(-time.Second)},
		{Kind: KindUsed, Used: session.UsedTicket, ID: id, Epoch: 1 << 31, Until: until},
		{Kind: KindUsed, Used: session.UsedSession, ID: id, Reason: session.ReasonKicked, Until: until.Add(1)},
	}
}

// signedRecords returns a segment of everyRecord, and the records as they are signed.
func signedRecords(t testing.TB) ([]byte, []Record) {
	t.Helper()
	records := everyRecord()
	for i := range records {
		if err := records[i].check(); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	var h history
	k, n, err := h.add(records, testTime, 24*time.Hour, 5, testKey())
	if err != nil || n != len(records) {
		t.Fatal(n, err)
	}
	return k.bytes, records
}

func testHead() *head {
	return &head{
		publisher: IDOf(testKey().Public()), epoch: 5, beat: 6, time: testTime.UnixMicro(), elapsed: 7, last: 8, after: chain{1, 2, 3}, closed: true,
		branches: []branch{{5, 4}, {3, 2}, {1, 1}}, nonces: []nonce{{1}, {2}},
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	t.Parallel()
	b, want := signedRecords(t)
	s, ok := parseSegment(b)
	if !ok || !verify(b, testKey().Public()) || s.after != s.before.next(s.content) {
		t.Fatal("the segment is not accepted")
	}
	var got []Record
	if !s.records(func(r *Record) { got = append(got, *r) }) || !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
	for i := range b {
		x := bytes.Clone(b)
		x[i] ^= 0x40
		if verify(x, testKey().Public()) {
			t.Fatalf("byte %d is not signed", i)
		}
		_, _ = parseSegment(x[:i])
	}
}

func TestHeadRoundTrip(t *testing.T) {
	t.Parallel()
	h := testHead()
	b, err := h.appendTo([]byte("x"), testKey())
	if err != nil {
		t.Fatal(err)
	}
	got, ok := parseHead(b[1:])
	if !ok || !reflect.DeepEqual(&got, h) || !verify(b[1:], testKey().Public()) {
		t.Errorf("%+v", got)
	}
	if _, ok := parseHead(append(b[1:len(b):len(b)], 0)); ok {
		t.Error("a byte left over")
	}
}

// The byte maps of the package comment are those of the code.
func TestByteMaps(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	segment, _ := signedRecords(t)
	head, err := testHead().appendTo(nil, testKey())
	if err != nil {
		t.Fatal(err)
	}
	s, _ := parseSegment(segment)
	h, _ := parseHead(head)
	word := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	maps := []struct {
		title   string
		message []byte
		fields  map[string][]byte
	}{
		{"A head:", head, map[string][]byte{
			"version": {1}, "type": {1}, "publisher": h.publisher[:], "epoch": word(5), "beat": word(6), "time": word(uint64(h.time)),
			"microseconds": word(7), "number of the last record": word(8), "chain": h.after[:], "flags": {1}, "number of epochs": {3}, "of each": append(word(5), word(4)...),
		}},
		{"A segment:", segment, map[string][]byte{
			"version": {1}, "type": {2}, "publisher": s.publisher[:], "epoch": word(5), "number of its first": word(1), "number behind": word(15),
			"chain before": s.before[:], "chain behind": s.after[:], "flags": {0}, "content": {3},
		}},
		{"A challenge:", appendAsk(nil, nonce{1, 2, 3}), map[string][]byte{"version": {1}, "type": {3}, "random": {1, 2, 3, 0, 0, 0, 0, 0}}},
	}
	row := regexp.MustCompile(`(?m)^//\t +(\d+) +(\d*)  (.*)$`)
	for _, m := range maps {
		_, text, _ := strings.Cut(string(doc), "// "+m.title+"\n")
		text, _, _ = strings.Cut(text, "\n//\n// ")
		rows := 0
		for _, r := range row.FindAllStringSubmatch(text, -1) {
			offset, _ := strconv.Atoi(r[1])
			for name, want := range m.fields {
				if !strings.HasPrefix(r[3], name) {
					continue
				}
				rows++
				if size, err := strconv.Atoi(r[2]); err == nil && size != len(want) || !bytes.HasPrefix(m.message[offset:], want) {
					t.Errorf("%s %s: offset %d", m.title, r[0], offset)
				}
			}
		}
		if rows != len(m.fields) {
			t.Errorf("%s has %d rows of %d", m.title, rows, len(m.fields))
		}
	}
}

// What is wrong with a record is an ErrRecord that names the field.
func TestRecordCheck(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxText+1)
	for field, r := range map[string]Record{
		"Kind ": {}, "Kind": {Kind: KindUsed + 1}, "Issuer": {Kind: KindBan, Value: "x"}, "Issuer ": {Kind: KindBuild, Issuer: "x", Value: "x"},
		"Issuer must": {Kind: KindBan, Issuer: long, Value: "x"}, "Value": {Kind: KindBan, Issuer: "x"}, "Value must": {Kind: KindBan, Issuer: "x", Value: long},
		"ID": {Kind: KindSession}, "Until": {Kind: KindBan, Issuer: "x", Value: "x", Until: time.Unix(-1, 0)},
		"Used": {Kind: KindUsed, ID: [16]byte{1}, Used: session.UsedToken}, "Used ": {Kind: KindUsed, ID: [16]byte{1}, Used: 9, Until: testTime},
		"Reason": {Kind: KindBan, Issuer: "x", Value: "x", Reason: session.ReasonFull}, "Note": {Kind: KindBan, Issuer: "x", Value: "x", Note: strings.Repeat("x", maxNote+1)},
		"Of": {Kind: KindLift, Issuer: "x", Value: "x", Of: PublisherID{1}}, "Of ": {Kind: KindLift, Issuer: "x", Value: "x", At: testTime},
	} {
		if err := r.check(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(field)) || !strings.HasPrefix(err.Error(), ErrRecord.Error()) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// FuzzMessage holds the parsers to what they promise: no message does harm, and what is read is
// written again as the same.
func FuzzMessage(f *testing.F) {
	segment, _ := signedRecords(f)
	head, err := testHead().appendTo(nil, testKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(segment)
	f.Add(head)
	f.Add(appendAsk(nil, nonce{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := parseHead(b); ok {
			again, err := h.appendTo(nil, testKey())
			if signed := len(b) - signatureSize; err != nil || !bytes.Equal(again[:signed], b[:signed]) {
				t.Fatalf("%x, %v", again, err)
			}
			_ = h.intact(h.epoch)
		}
		if n, ok := parseAsk(b); ok && !bytes.Equal(appendAsk(nil, n), b) {
			t.Fatal(n)
		}
		s, ok := parseSegment(b)
		if !ok {
			return
		}
		var records []Record
		if !s.records(func(r *Record) { records = append(records, *r) }) {
			return
		}
		c := content{first: s.first}
		for i := range records {
			if !c.add(&records[i]) {
				return // too long with room to spare
			}
		}
		s.content = c.bytes()
		i := 0
		if !s.records(func(r *Record) {
			if !reflect.DeepEqual(*r, records[i]) {
				t.Fatalf("%v comes back as %v", records[i], *r)
			}
			i++
		}) || i != len(records) {
			t.Fatalf("%d of %d records come back", i, len(records))
		}
	})
}

// FuzzStore: whatever a file has, what is read of it is written again as the same.
func FuzzStore(f *testing.F) {
	segment, _ := signedRecords(f)
	f.Add(appendFrame(appendFrame([]byte(storeMagic), frameEpoch, epochFrame(branch{1, 2})), frameSegment, segment))
	f.Fuzz(func(t *testing.T, b []byte) {
		branches, segments, rest := parseStore(b)
		size := 0
		for range branches {
			size += frameSize + 16
		}
		for _, s := range segments {
			size += frameSize + len(s)
		}
		if size > 0 && size+len(storeMagic)+len(rest) != len(b) {
			t.Fatal(fmt.Sprint(size, len(rest), len(b)))
		}
	})
}
