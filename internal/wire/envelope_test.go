package wire

import (
	"errors"
	"testing"
)

func header(first, second byte) []byte {
	b := make([]byte, HeaderLen)
	b[0], b[1] = first, second
	return b
}

// set returns a copy of b in which b[i] is v.
func set(b []byte, i int, v byte) []byte {
	b = append([]byte(nil), b...)
	b[i] = v
	return b
}

func TestParseEnvelope(t *testing.T) {
	data := header(0x13, 0)
	for _, test := range []struct {
		name string
		b    []byte
		want error
	}{
		{"no header", nil, ErrMalformed},
		{"a byte short", data[:HeaderLen-1], ErrMalformed},
		{"empty body", data, nil},
		{"a byte of body", append(data, 0), nil},
		{"a byte below the limit", append(data, make([]byte, MaxBody-1)...), nil},
		{"at the limit", append(data, make([]byte, MaxBody)...), nil},
		{"a byte above the limit", append(data, make([]byte, MaxBody+1)...), ErrMalformed},
		{"version 0", header(0x03, 0), ErrVersion},
		{"version 2", header(0x23, 0), ErrVersion},
		{"version 15", header(0xf3, 0xff), ErrVersion},
		// "Codes 0 and 12 to 15 are malformed." PROTOCOL.md 3
		{"kind 0", header(0x10, 0), ErrMalformed},
		{"kind 1", header(0x11, 0), nil},
		{"kind 10", header(0x1a, 0), nil},
		{"kind 11", header(0x1b, 0), nil},
		{"kind 12", header(0x1c, 0), ErrMalformed},
		{"kind 15", header(0x1f, 0), ErrMalformed},
		{"epoch 3", header(0x13, 3), nil},
		// "A flag bit that is set makes the envelope malformed." PROTOCOL.md 2.3
		{"lowest flag", header(0x13, 4), ErrMalformed},
		{"highest flag", header(0x13, 0x80), ErrMalformed},
	} {
		if _, err := Parse(test.b); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.want)
		}
	}
}

// "HELLO and WELCOME have epoch bits, session id, sequence and tag zero." PROTOCOL.md 2.4
func TestUnusedIsZero(t *testing.T) {
	const epoch, session, seq, tag = 1, 5, 9, 17 // offsets of last bytes
	for _, test := range []struct {
		kind    Kind
		allowed []int // what alone may differ from zero
	}{
		{KindHello, nil},
		{KindWelcome, nil},
		{KindClose, []int{session}}, // a session id makes it a CLOSE of that session
		{KindBearer, []int{session, seq}},
		{KindData, []int{epoch, session, seq, tag}},
	} {
		zero := header(Version<<4|byte(test.kind), 0)
		if _, err := Parse(zero); err != nil {
			t.Errorf("%v: %v", test.kind, err)
		}
		for _, i := range []int{epoch, session, seq, tag} {
			allowed := false
			for _, a := range test.allowed {
				allowed = allowed || a == i
			}
			if _, err := Parse(set(zero, i, 1)); (err == nil) != allowed {
				t.Errorf("%v with byte %d set: %v", test.kind, i, err)
			}
		}
	}
}

// "The first 18 bytes and the whole of CLOSE keep their layout in every version." PROTOCOL.md 2.2
func TestOtherVersionIsFilledIn(t *testing.T) {
	e, err := Parse([]byte("\x28\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x02\x03"))
	if !errors.Is(err, ErrVersion) || e.Kind != KindClose {
		t.Fatalf("Parse: kind %v, error %v", e.Kind, err)
	}
	body, err := ParseCloseBody(e.Body)
	if err != nil || body.Reason != ReasonVersion || string(body.Detail) != "\x02\x03" {
		t.Errorf("ParseCloseBody: %+v, %v", body, err)
	}
}

func TestPutHeader(t *testing.T) {
	for _, v := range vectors {
		want := v.bytes()
		got := append(make([]byte, HeaderLen), want[HeaderLen:]...)
		PutHeader(got, v.envelope)
		if string(got) != string(want) {
			t.Errorf("%s: got %x, want %x", v.name, got, want)
		}
	}
}

func TestTagEqual(t *testing.T) {
	tag := Tag{1, 2, 3, 4, 5, 6, 7, 8}
	if !tag.Equal(tag) {
		t.Error("a tag differs from itself")
	}
	for i := range tag {
		other := tag
		other[i] ^= 0x80
		if tag.Equal(other) {
			t.Errorf("byte %d is not compared", i)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Kind(0).String(), "kind 0"},
		{Kind(12).String(), "kind 12"},
		{FrameLatest.String() + FrameType(0).String(), "LATESTframe 0"},
		{Reason(0).String(), "reason 0"},
		{Reason(20).String(), "reason 20"},
		{Reason(127).String(), "reason 127"},
		{ReasonGame.String(), "game's reason 128"},
		{Reason(255).String(), "game's reason 255"},
		{NoticeCode(0).String(), "notice 0"},
		{NoticeCode(4).String(), "notice 4"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
