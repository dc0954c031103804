package wire

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

var start = time.Unix(1_800_000_000, 0)

func cut(body []byte) (parts []Part) {
	for p := range Parts(body) {
		parts = append(parts, p)
	}
	return parts
}

// "A body of 2,500 bytes travels as the parts (2500, 0), (2500, 1024) and (2500, 2048) of 1,024, 1,024 and 452 bytes"
// PROTOCOL.md 2.6
func TestParts(t *testing.T) {
	for _, test := range []struct {
		body    int
		lengths []int
	}{
		{1, []int{1}},
		{1023, []int{1023}},
		{1024, []int{1024}},
		{1025, []int{1024, 1}},
		{2500, []int{1024, 1024, 452}},
		{5120, []int{1024, 1024, 1024, 1024, 1024}},
	} {
		body := counting(0, test.body)
		parts := cut(body)
		if len(parts) != len(test.lengths) {
			t.Fatalf("%d bytes: %d parts, want %d", test.body, len(parts), len(test.lengths))
		}
		for i, p := range parts {
			got, err := ParsePart(p.AppendTo(nil))
			if err != nil || got.Total != uint16(test.body) || got.Offset != uint16(i*MaxPart) {
				t.Errorf("%d bytes: part %d is (%d, %d), %v", test.body, i, got.Total, got.Offset, err)
			}
			if want := body[i*MaxPart:][:test.lengths[i]]; !bytes.Equal(got.Data, want) {
				t.Errorf("%d bytes: part %d has %d bytes, want %d", test.body, i, len(got.Data), len(want))
			}
		}
	}
	for range Parts(counting(0, 5000)) {
		break // a loop may stop early
	}
}

func TestParsePart(t *testing.T) {
	part := func(total, offset uint16, n int) []byte {
		return Part{Total: total, Offset: offset, Data: make([]byte, n)}.AppendTo(nil)
	}
	for _, test := range []bodyTest{
		{"empty", nil, ErrMalformed},
		{"half a header", make([]byte, 3), ErrMalformed},
		{"total 0", part(0, 0, 0), ErrMalformed},
		{"total 1", part(1, 0, 1), nil},
		{"a byte missing", part(100, 0, 99), ErrMalformed},
		{"whole", part(100, 0, 100), nil},
		{"a byte too many", part(100, 0, 101), ErrMalformed},
		{"first of two, a byte missing", part(1025, 0, 1023), ErrMalformed},
		{"first of two", part(1025, 0, 1024), nil},
		{"first of two, a byte too many", part(1025, 0, 1025), ErrMalformed},
		{"second of two", part(1025, 1024, 1), nil},
		{"second of one", part(1024, 1024, 0), ErrMalformed},
		{"offset 1023", part(1025, 1023, 2), ErrMalformed},
		{"offset 1", part(1025, 1, 1024), ErrMalformed},
		{"offset beyond", part(1025, 2048, 1), ErrMalformed},
		{"total 5119", part(5119, 4096, 1023), nil},
		{"total 5120", part(5120, 4096, 1024), nil},
		{"total 5121", part(5121, 4096, 1024), ErrMalformed},
		{"total 65535", part(65535, 0, 1024), ErrMalformed},
	} {
		if _, err := ParsePart(test.body); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.want)
		}
	}
}

// step is one Add and what it gives.
type step struct {
	at    time.Duration
	part  Part
	whole []byte
	err   error
}

func play(t *testing.T, a *Assembler, steps ...step) {
	t.Helper()
	for i, s := range steps {
		body, ok, err := a.Add(start.Add(s.at), s.part)
		if ok != (s.whole != nil) || !bytes.Equal(body, s.whole) || !errors.Is(err, s.err) {
			t.Fatalf("step %d: %d bytes, %v, %v; want %d bytes, %v", i, len(body), ok, err, len(s.whole), s.err)
		}
	}
}

// "Parts may come in any order and more than once." PROTOCOL.md 2.6
func TestAssemblerOrder(t *testing.T) {
	var a Assembler
	body := counting(0, 2500)
	p := cut(body)
	play(
		t, &a,
		step{part: p[2]}, step{part: p[0]}, step{part: p[2]}, step{part: p[1], whole: body},
		step{part: p[0]}, step{part: p[1]}, step{part: p[2], whole: body},
	)
	for _, n := range []int{1, 1024, 1025, 5119, 5120} {
		parts := cut(counting(7, n))
		for _, p := range parts[:len(parts)-1] {
			play(t, &a, step{part: p})
		}
		play(t, &a, step{part: parts[len(parts)-1], whole: counting(7, n)})
	}
}

// "A partial body is dropped 5 s after its first part came." PROTOCOL.md 2.6
func TestAssemblerTime(t *testing.T) {
	body := counting(0, 2048)
	p := cut(body)
	var a Assembler
	play(t, &a, step{part: p[0]}, step{at: PartialLife - 1, part: p[1], whole: body})
	play(t, &a, step{part: p[0]}, step{at: PartialLife, part: p[1]}, step{at: PartialLife + 1, part: p[0], whole: body})
	play(t, &a, step{part: p[0]}, step{at: PartialLife + 1, part: p[1]}, step{at: 2 * PartialLife, part: p[0], whole: body})
}

// "A part with different bytes for the same offset, or with another total, drops the whole partial body and itself."
// PROTOCOL.md 2.6
func TestAssemblerDisagreement(t *testing.T) {
	body, other, longer := counting(0, 2500), counting(1, 2500), counting(0, 2501)
	p := cut(body)
	for _, bad := range []Part{cut(other)[0], cut(longer)[1], cut(body[:100])[0]} {
		var a Assembler
		play(
			t, &a,
			step{part: p[0]}, step{part: p[1]}, step{part: bad, err: ErrMalformed},
			step{part: p[2]}, step{part: p[1]}, step{part: p[0], whole: body},
		)
	}
}

func TestAssemblerReset(t *testing.T) {
	body, other := counting(0, 2048), counting(1, 2048)
	var a Assembler
	play(t, &a, step{part: cut(body)[0]})
	if a.Reset(); a.body != nil {
		t.Error("Reset keeps the buffer")
	}
	play(t, &a, step{part: cut(other)[1]}, step{part: cut(other)[0], whole: other})
}

// A body of one part needs no buffer.
func TestAssemblerOnePart(t *testing.T) {
	var a Assembler
	body := counting(0, MaxPart)
	play(t, &a, step{part: cut(body)[0], whole: body})
	if a.body != nil {
		t.Error("a body of one part made a buffer")
	}
}
