package matchdata

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"github.com/sallyport/sallyport/transport"
)

// "op code, 0 to 2^63-1, unsigned LEB128 … no longer than need be"
func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		op   int64
		data string
		ok   bool
	}{
		{"00", 0, "", true},
		{"7f", 127, "", true},
		{"8001", 128, "", true},
		{"ac02ff", 300, "ff", true},
		{"ffffffffffffffff7f", math.MaxInt64, "", true},
		{"ffffffffffffffff7f00", math.MaxInt64, "00", true},
		{"80808080808080808001", 0, "", false}, // 2^63
		{"ffffffffffffffffff01", 0, "", false},
		{"ffffffffffffffffff7f", 0, "", false}, // more than 64 bits
		{"8000", 0, "", false},                 // longer than need be
		{"ff80808000", 0, "", false},
		{"80", 0, "", false},
		{"", 0, "", false},
	} {
		b, _ := hex.DecodeString(c.in)
		op, data, err := Parse(b)
		if (err == nil) != c.ok || op != c.op || hex.EncodeToString(data) != c.data {
			t.Errorf("Parse(%s) = %d, %x, %v", c.in, op, data, err)
		}
	}
}

// "payload and op code are at most 1,145 bytes"
func TestAppend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op  int64
		len int
		ok  bool
	}{
		{127, transport.MaxPayload - 1, true},
		{127, transport.MaxPayload, false},
		{128, transport.MaxPayload - 2, true},
		{128, transport.MaxPayload - 1, false},
		{-1, 0, false},
	} {
		if _, ok := Append([]byte("before"), transport.MaxPayload, c.op, nil, make([]byte, c.len)); ok != c.ok {
			t.Errorf("op code %d with %d bytes fits: %v", c.op, c.len, ok)
		}
	}
}

// What parses is exactly what is written, as far as it fits a payload.
func FuzzDatagram(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x80\x00", "\xac\x02hello", "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"} {
		f.Add([]byte(seed))
	}
	f.Add(make([]byte, transport.MaxPayload))
	f.Add(make([]byte, transport.MaxPayload+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		op, data, err := Parse(b)
		if err != nil {
			return
		}
		again, ok := Append(nil, transport.MaxPayload, op, nil, data)
		if ok && !bytes.Equal(again, b) || ok != (len(b) <= transport.MaxPayload) || op < 0 {
			t.Errorf("%x is read as %d, %x and written as %x, %v", b, op, data, again, ok)
		}
	})
}
