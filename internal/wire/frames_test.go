package wire

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Golden bytes of each frame, written by hand from its fields.
var frameVectors = []struct {
	name string
	hex  string
	want Frame
}{
	{"ack", "10 00000102 0a 00 03", Frame{Type: FrameAck, Ack: Ack{Highest: 0x102, Delay: 10, First: 3, ranges: []byte{}}}},
	{"ack with gaps", "10 ffffffff 4040 02 00 00 05 41ff 00", Frame{Type: FrameAck, Ack: Ack{
		Highest: 0xffffffff, Delay: 64, Further: 2, ranges: []byte{0, 5, 0x41, 0xff, 0},
	}}},
	{"whole", "23 07 02 6869", Frame{Type: FrameWhole, Lane: 3, ID: 7, Total: 2, Data: []byte("hi")}},
	{"empty whole", "2f 4040 00", Frame{Type: FrameWhole, Lane: 15, ID: 64, Data: []byte{}}},
	{"last fragment", "31 80004000 01 4441 " + strings.Repeat("78", 544), Frame{
		Type: FrameFragment, Lane: 1, ID: 16384, Index: 1, Total: 1089, Data: bytes.Repeat([]byte("x"), 544),
	}},
	{"latest", "44 c0000000ffffffff 09 01 78", Frame{Type: FrameLatest, Lane: 4, Key: 1<<32 - 1, ID: 9, Total: 1, Data: []byte("x")}},
	{"latest removes", "44 05 09 00", Frame{Type: FrameLatest, Lane: 4, Key: 5, ID: 9, Data: []byte{}}},
	{"skip", "52 02 8010f447", Frame{Type: FrameSkip, Lane: 2, ID: 2, Bytes: 0x10f447}},
	{"credit", "62 c000000100000000", Frame{Type: FrameCredit, Lane: 2, Bytes: 1 << 32}},
	{"parity", "71 08 5000 03 " + strings.Repeat("ab", 1024), Frame{
		Type: FrameParity, Lane: 1, ID: 8, Total: 4096, Index: 3, Data: bytes.Repeat([]byte{0xab}, 1024),
	}},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFrameVectors(t *testing.T) {
	for _, v := range frameVectors {
		b := unhex(t, v.hex)
		r := NewFrames(b)
		var f Frame
		if !r.Next(&f) || !reflect.DeepEqual(f, v.want) {
			t.Errorf("%s: %+v, want %+v", v.name, f, v.want)
			continue
		}
		if got := f.AppendTo(nil); !bytes.Equal(got, b) {
			t.Errorf("%s comes back as %x", v.name, got)
		}
		if f.Type != FrameAck && f.Len() != len(b) {
			t.Errorf("%s: length %d of %d", v.name, f.Len(), len(b))
		}
		if r.Next(&f) || r.Malformed() {
			t.Errorf("%s: more after the end", v.name)
		}
		if n := testing.AllocsPerRun(10, func() {
			r := NewFrames(b)
			r.Next(&f)
		}); n != 0 {
			t.Errorf("%s: %v allocations", v.name, n)
		}
	}
}

// "The body is one or more frames, up to its end" PROTOCOL.md 3.11. Each of these breaks one rule.
//
// "A body MUST be malformed that has, anywhere in it, an unknown type, an integer that is not in
// its shortest form, an id of 0" PROTOCOL.md 16.3
// "a second ACK or one that is not first, or bytes left over" PROTOCOL.md 16.3
func TestMalformedFrames(t *testing.T) {
	for _, v := range malformedFrames {
		b := unhex(t, v.hex)
		r := NewFrames(b)
		var f Frame
		for r.Next(&f) {
		}
		if !r.Malformed() || slowFrames(b) {
			t.Errorf("%s parses", v.name)
		}
		framesOf(t, unhex(t, v.instead))
	}
}

// malformedFrames are bodies that break one rule each, and what stands instead where it is kept.
var malformedFrames = []struct{ name, hex, rule, instead string }{
	{
		"nothing", "",
		"3.11: The body is one or more frames", "10 00000102 0a 00 03",
	},
	{
		"type 0", "00 01 00",
		"16.3: an unknown type", "20 01 00",
	},
	{
		"type 8", "80 01 00",
		"16.3: an unknown type", "20 01 00",
	},
	{
		"ack with a lane", "11 00000102 0a 00 03",
		"16.3: its lane in the low 4, which are 0 in an ACK", "10 00000102 0a 00 03",
	},
	{
		"ack cut off", "10 00000102 0a 01 03 00",
		"16.3: gap (v) and length (v) of each further one", "10 00000102 0a 01 03 00 00",
	},
	{
		"33 ranges", "10 00000102 0a 20 03" + strings.Repeat("0000", 32),
		"16.8: number of ranges after the first, 0 to 31", "10 00000102 0a 1f 03" + strings.Repeat("0000", 31),
	},
	{
		"second ack", "10 00000102 0a 00 03 10 00000102 0a 00 03",
		"16.3: a second ACK or one that is not first", "10 00000102 0a 00 03",
	},
	{
		"ack that is not first", "23 07 02 6869 10 00000102 0a 00 03",
		"16.3: a second ACK or one that is not first", "10 00000102 0a 00 03 23 07 02 6869",
	},
	{
		"two bytes for one", "23 4007 02 6869",
		"16.3: an integer that is not in its shortest form", "23 07 02 6869",
	},
	{
		"four bytes for two", "23 80003fff 02 6869",
		"16.3: an integer that is not in its shortest form", "23 7fff 02 6869",
	},
	{
		"eight bytes for four", "23 c00000003fffffff 02 6869",
		"16.3: an integer that is not in its shortest form", "23 bfffffff 02 6869",
	},
	{
		"id 0", "23 00 02 6869",
		"16.3: an id of 0", "23 01 02 6869",
	},
	{
		"data cut off", "23 07 03 6869",
		"16.3: WHOLE | id (v), length (v), data", "23 07 02 6869",
	},
	{
		"whole of 1,089", "23 07 4441" + strings.Repeat("00", 1089),
		"16.3: WHOLE is a message of 0 to 1,088 bytes", "23 07 4440" + strings.Repeat("00", 1088),
	},
	{
		"value of 1,089", "44 05 09 4441" + strings.Repeat("00", 1089),
		"16.3: LATEST is the value of a key, of at most 1,088 bytes", "44 05 09 4440" + strings.Repeat("00", 1088),
	},
	{
		"fragment of a message of 1,088", "31 01 00 4440" + strings.Repeat("00", 1088),
		"16.4: A message of at most 1,088 bytes MUST travel in one frame", "31 01 00 4441" + strings.Repeat("00", 545),
	},
	{
		"fragment beyond the last", "31 01 02 4441" + strings.Repeat("00", 544),
		"16.3: an index or a range that cannot be", "31 01 01 4441" + strings.Repeat("00", 544),
	},
	{
		"fragment too short", "31 01 00 4441" + strings.Repeat("00", 544),
		"16.4: the length of the data follows from the length of the message", "31 01 00 4441" + strings.Repeat("00", 545),
	},
	{
		"message of 2^24", "31 01 00 81000000" + strings.Repeat("00", 1088),
		"16.1: A message is 0 to 2^24 - 1 bytes", "31 01 00 80ffffff" + strings.Repeat("00", 1088),
	},
	{
		"key of 2^32", "44 c000000100000000 09 01 78",
		"16.1: a value under a key, below 2^32", "44 c0000000ffffffff 09 01 78",
	},
	{
		"skip of nothing", "52 01 00",
		"16.3: SKIP, with an id of 2 or more", "52 02 00",
	},
	{
		"parity of a whole", "71 08 4440 03" + strings.Repeat("00", 1088),
		"16.4: for each message of more than one fragment", "71 08 4441 03" + strings.Repeat("00", 545),
	},
	{
		"fifth parity frame", "71 08 5000 04" + strings.Repeat("00", 1024),
		"16.2: parity in the low 4, 0 to 4", "71 08 5000 03" + strings.Repeat("00", 1024),
	},
	{
		"trailing byte", "23 07 02 6869 23",
		"16.3: or bytes left over", "23 07 02 6869",
	},
}

func TestVarintBounds(t *testing.T) {
	for _, v := range []uint64{0, 63, 64, 16383, 16384, 1<<30 - 1, 1 << 30, MaxVarint} {
		b := AppendVarint(nil, v)
		if got, n := ParseVarint(b); got != v || n != len(b) || n != VarintLen(v) {
			t.Errorf("%d: %x comes back as %d of %d bytes", v, b, got, n)
		}
		if _, n := ParseVarint(b[:len(b)-1]); n != 0 {
			t.Errorf("%d: parses without its last byte", v)
		}
	}
}

func TestAckRanges(t *testing.T) {
	want := []Range{{1<<40 - 3, 1 << 40}, {1<<40 - 9, 1<<40 - 5}, {100, 200}}
	b, _ := AppendAck(nil, want, 640*time.Microsecond, MaxBody)
	var f Frame
	r := NewFrames(b)
	if !r.Next(&f) || f.Ack.Delay != 10 || f.Ack.Highest != 0 {
		t.Fatalf("%x: %+v", b, f)
	}
	if got := f.Ack.Ranges(nil, 1<<40); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := f.Ack.Ranges(nil, 1<<39); got != nil { // the last range would begin below 1
		t.Errorf("%v", got)
	}

	// What does not fit is left out from the lowest range upwards, at each limit.
	many := make([]Range, 40)
	for i := range many {
		many[i] = Range{uint64(1000 - 3*i), uint64(1001 - 3*i)}
	}
	for limit := MaxAckHeader; limit < 100; limit++ {
		b, n := AppendAck(nil, many, 0, limit)
		r := NewFrames(b)
		if !r.Next(&f) || len(b) > limit {
			t.Fatalf("limit %d: %x", limit, b)
		}
		got := f.Ack.Ranges(nil, 1001)
		if want := min(MaxAckRanges, 1+(limit-8)/2); len(got) != want || n != want || !reflect.DeepEqual(got, many[:len(got)]) {
			t.Fatalf("limit %d: %v, want %d", limit, got, want)
		}
	}
}

// FuzzFrames reads a body and writes it again; a slow twin says whether it may parse.
func FuzzFrames(f *testing.F) {
	var all []byte
	for _, v := range frameVectors {
		f.Add(unhex(f, v.hex))
		all = append(all, unhex(f, v.hex)...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewFrames(b)
		var fr Frame
		var again []byte
		for r.Next(&fr) {
			if len(fr.Data) > 0 {
				inside(t, b, fr.Data)
			}
			if got := fr.Ack.Ranges(nil, 1<<50); len(got) > MaxAckRanges {
				t.Fatalf("%d ranges", len(got))
			}
			again = fr.AppendTo(again)
		}
		if got := slowFrames(b); got == r.Malformed() {
			t.Fatalf("%x: malformed %v, the slow twin differs", b, r.Malformed())
		}
		if !r.Malformed() && !bytes.Equal(again, b) {
			t.Fatalf("%x comes back as %x", b, again)
		}
	})
}

// slowFrames reports whether b is the body of FRAMES, rule by rule.
func slowFrames(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	ok := true
	number := func() uint64 {
		if len(b) == 0 || len(b) < 1<<(b[0]>>6) {
			ok = false
			return 0
		}
		size := 1 << (b[0] >> 6)
		v := uint64(b[0] & 63)
		for i := 1; i < size; i++ {
			v = v*256 + uint64(b[i])
		}
		if !bytes.Equal(AppendVarint(nil, v), b[:size]) {
			ok = false
		}
		b = b[size:]
		return v
	}
	data := func(n uint64) {
		if ok && n > uint64(len(b)) {
			ok = false
		}
		if ok {
			b = b[n:]
		}
	}
	check := func(holds bool) { ok = ok && holds }
	for first := true; ok && len(b) > 0; first = false {
		kind, lane := b[0]>>4, b[0]&15
		b = b[1:]
		switch kind {
		case 1:
			check(first && lane == 0 && len(b) >= 4)
			data(4)
			number()
			further := number()
			check(further <= 31)
			number()
			for ; ok && further > 0; further-- {
				number()
				number()
			}
		case 2:
			check(number() >= 1)
			n := number()
			check(n <= 1088)
			data(n)
		case 3:
			check(number() >= 1)
			index, total := number(), number()
			check(total > 1088 && total < 1<<24 && index <= (total-1)/1088)
			if ok {
				size := slowSize(total)
				data(min(size, total-size*index))
			}
		case 4:
			check(number() < 1<<32)
			check(number() >= 1)
			n := number()
			check(n <= 1088)
			data(n)
		case 5:
			check(number() >= 2)
			number()
		case 6:
			number()
		case 7:
			check(number() >= 1)
			total, index := number(), number()
			check(total > 1088 && total < 1<<24 && index < 4)
			if ok {
				data(slowSize(total))
			}
		default:
			ok = false
		}
	}
	return ok
}

// slowSize returns the least size with which no more fragments are needed than with 1,088 bytes.
func slowSize(total uint64) uint64 {
	fewest := (total + 1087) / 1088
	size := total / fewest
	for size*fewest < total {
		size++
	}
	return size
}

// No fragment is empty, and together they are the message.
//
// "A message of at most 1,088 bytes MUST travel in one frame, and a longer one in fragments: as
// few as hold it with at most 1,088 bytes each, and of even length" PROTOCOL.md 16.4
func TestFragmentsAddUp(t *testing.T) {
	for _, total := range []int{1, 1088, 1089, 2176, 2177, 6144, 1088*100 + 1, 1088 * 1088, 1088*1089 + 1, MaxMessage - 1, MaxMessage} {
		sum := 0
		n := Fragments(total)
		for i := range n {
			l := FragmentLen(total, i)
			if l < 1 || l > MaxFragment {
				t.Fatalf("%d bytes: fragment %d of %d has %d", total, i, n, l)
			}
			sum += l
		}
		if sum != total {
			t.Errorf("%d bytes: %d in %d fragments", total, sum, n)
		}
	}
}
