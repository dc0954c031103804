package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// sample returns the body of a vector, its parts together.
func sample(name string) []byte {
	for _, v := range vectors {
		if v.name == name {
			return v.bodyBytes()
		}
	}
	panic("no vector " + name)
}

// field makes a field of n bytes.
func field(typ byte, n int) []byte {
	return append([]byte{typ, byte(n >> 8), byte(n)}, strings.Repeat("x", n)...)
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// helloWith makes a HELLO whose sequences are both next.
func helloWith(next byte, fields ...[]byte) []byte {
	fixed := make([]byte, 37)
	fixed[24], fixed[32] = next, next
	return append(fixed, join(fields...)...)
}

type bodyTest struct {
	name string
	body []byte
	want error
}

func checkBodies(t *testing.T, kind Kind, tests []bodyTest) {
	t.Helper()
	for _, test := range tests {
		if _, err := parseBody(kind, test.body); !errors.Is(err, test.want) {
			t.Errorf("%v, %s: error %v, want %v", kind, test.name, err, test.want)
		}
	}
}

func TestHello(t *testing.T) {
	token, ticket, proof := field(1, 1), field(2, 1), field(255, 32)
	checkBodies(t, KindHello, []bodyTest{
		{"token", helloWith(1, token), nil},
		{"ticket", helloWith(9, ticket, proof), nil},
		// "A HELLO has a token or a ticket, or both." PROTOCOL.md 3.1
		{"neither", helloWith(1), ErrMalformed},
		{"both", helloWith(9, token, ticket, proof), nil},
		{"both without proof", helloWith(9, token, ticket), ErrMalformed},
		{"both and metadata", helloWith(9, token, ticket, field(7, 1), proof), ErrMalformed},
		// "with a ticket both are at least 1, there is a proof, and there is no metadata" PROTOCOL.md 3.1
		{"metadata of 255 bytes", helloWith(1, token, field(7, MaxMetadata-1)), nil},
		{"metadata of 256 bytes", helloWith(1, token, field(7, MaxMetadata)), nil},
		{"metadata of 257 bytes", helloWith(1, token, field(7, MaxMetadata+1)), ErrMalformed},
		{"metadata of 0 bytes", helloWith(1, token, field(7, 0)), ErrMalformed},
		{"ticket and metadata", helloWith(9, ticket, field(7, 1), proof), ErrMalformed},
		{"longest", helloWith(1, field(1, MaxToken), field(3, MaxText), field(4, MaxText), field(5, MaxText), field(7, MaxMetadata)), nil},
		// "Without a ticket both sequences are 1, the generation of lanes is 0 and there is no proof"
		// PROTOCOL.md 3.1
		{"token, sequences 0", helloWith(0, token), ErrMalformed},
		{"token, sequences 2", helloWith(2, token), ErrMalformed},
		{"token, one sequence 2", set(helloWith(1, token), 32, 2), ErrMalformed},
		{"token and proof", helloWith(1, token, proof), ErrMalformed},
		{"ticket, sequences 0", helloWith(0, ticket, proof), ErrMalformed},
		{"ticket without proof", helloWith(1, ticket), ErrMalformed},
		{"proof of 31 bytes", helloWith(1, ticket, field(255, 31)), ErrMalformed},
		{"proof of 33 bytes", helloWith(1, ticket, field(255, 33)), ErrMalformed},
		{"unknown binding mode", set(helloWith(1, token), 16, 7), nil},
		// "Fields MUST stand in strictly ascending order of type." PROTOCOL.md 2.5
		{"token twice", helloWith(1, token, token), ErrMalformed},
		{"build before platform", helloWith(1, token, field(4, 1), field(3, 1)), ErrMalformed},
		{"type 0", helloWith(1, field(0, 1), token), ErrMalformed},
		// "A receiver MUST skip a field of a type that the body does not use." PROTOCOL.md 2.5
		{"unknown field", helloWith(1, token, field(200, 300)), nil},
		{"unknown field twice", helloWith(1, token, field(200, 1), field(200, 1)), ErrMalformed},
		{"limits", helloWith(1, token, field(6, 3)), nil},
		{"empty field", helloWith(1, token, field(3, 0)), ErrMalformed},
		{"half a field header", helloWith(1, token, []byte{3, 0}), ErrMalformed},
		{"field a byte short", helloWith(1, token, []byte{3, 0, 2, 'x'}), ErrMalformed},
		{"token of 4095 bytes", helloWith(1, field(1, MaxToken-1)), nil},
		{"token of 4096 bytes", helloWith(1, field(1, MaxToken)), nil},
		{"token of 4097 bytes", helloWith(1, field(1, MaxToken+1)), ErrMalformed},
		{"ticket of 512 bytes", helloWith(1, field(2, MaxTicket), proof), nil},
		{"ticket of 513 bytes", helloWith(1, field(2, MaxTicket+1), proof), ErrMalformed},
		{"5119 bytes", helloWith(1, token, field(200, MaxHelloBody-45)), nil},
		{"5120 bytes", helloWith(1, token, field(200, MaxHelloBody-44)), nil},
		{"5121 bytes", helloWith(1, token, field(200, MaxHelloBody-43)), ErrMalformed},
	})
	for n := range 37 {
		checkBodies(t, KindHello, []bodyTest{{"cut", helloWith(1)[:n], ErrMalformed}})
	}
}

// "Text has at most 128 bytes of UTF-8 without control characters" PROTOCOL.md 2.5
func TestHelloText(t *testing.T) {
	for _, typ := range []fieldType{fieldPlatform, fieldBuild, fieldScope} {
		for text, want := range map[string]error{
			"Linux 6.1, größe ≥ 3":   nil,
			strings.Repeat("x", 127): nil,
			strings.Repeat("x", 128): nil,
			strings.Repeat("x", 129): ErrMalformed,
			strings.Repeat("é", 64):  nil,
			"a\nb":                   ErrMalformed,
			"\x00":                   ErrMalformed,
			"\x1f":                   ErrMalformed,
			" ":                      nil,
			"~":                      nil,
			"\x7f":                   ErrMalformed,
			"\u009f":                 ErrMalformed,
			"\u00a0":                 nil,
			"\xff":                   ErrMalformed,
			"\xc3":                   ErrMalformed,
		} {
			body := appendField(helloWith(1, field(1, 1)), typ, []byte(text))
			checkBodies(t, KindHello, []bodyTest{{text, body, want}})
		}
	}
}

func TestWelcome(t *testing.T) {
	body := sample("welcome")
	fixed, limits := body[:96], body[96:]
	checkBodies(t, KindWelcome, []bodyTest{
		{"as it is", body, nil},
		{"without limits", fixed, ErrMalformed},
		{"limits a byte short", join(fixed, field(6, 9)), ErrMalformed},
		{"limits a byte long", join(fixed, field(6, 11)), ErrMalformed},
		{"a byte left over", join(body, []byte{7}), ErrMalformed},
		{"unknown field", join(body, field(7, 1)), nil},
		{"ticket of 512 bytes", join(fixed, field(2, MaxTicket), limits), nil},
		{"ticket of 513 bytes", join(fixed, field(2, MaxTicket+1), limits), ErrMalformed},
		{"session id 0", join(body[:16], make([]byte, 4), body[20:]), ErrMalformed},
		{"epoch 0", join(body[:20], make([]byte, 4), body[24:]), ErrMalformed},
		{"client next 0", join(body[:56], make([]byte, 8), body[64:]), ErrMalformed},
		{"server next 0", join(body[:64], make([]byte, 8), body[72:]), ErrMalformed},
	})
	for n := range fixed {
		checkBodies(t, KindWelcome, []bodyTest{{"cut", body[:n], ErrMalformed}})
	}
}

func TestRenew(t *testing.T) {
	checkBodies(t, KindRenew, []bodyTest{
		{"empty", nil, ErrMalformed},
		{"one byte", make([]byte, 1), nil},
		{"4095 bytes", make([]byte, MaxToken-1), nil},
		{"4096 bytes", make([]byte, MaxToken), nil},
		{"4097 bytes", make([]byte, MaxToken+1), ErrMalformed},
	})
	body := sample("renewed")[:44]
	checkBodies(t, KindRenewed, []bodyTest{
		{"as it is", sample("renewed"), nil},
		// "a client MUST also take a RENEWED without it" PROTOCOL.md 3.5
		{"without fields", body, nil},
		{"time of 7 bytes", join(body, field(9, 7)), ErrMalformed},
		{"time of 8 bytes", join(body, field(9, 8)), nil},
		{"time of 9 bytes", join(body, field(9, 9)), ErrMalformed},
		{"a byte short", body[:43], ErrMalformed},
		{"a byte left over", join(body, []byte{2}), ErrMalformed},
		{"epoch 0", join(make([]byte, 4), body[4:]), ErrMalformed},
		{"ticket of 512 bytes", join(body, field(2, MaxTicket)), nil},
		{"ticket of 513 bytes", join(body, field(2, MaxTicket+1)), ErrMalformed},
		{"unknown field", join(body, field(10, 1)), nil},
	})
}

func TestPing(t *testing.T) {
	for n := range 40 {
		want := ErrMalformed
		if n == 8 {
			want = nil
		}
		checkBodies(t, KindPing, []bodyTest{{"length", make([]byte, n), want}})
		if n == 12 || n == 24 || n == 28 {
			want = nil // "report: lost 4, or nothing; then times: received 8 and sent 8, or nothing" PROTOCOL.md 3.7
		}
		checkBodies(t, KindPong, []bodyTest{{"length", make([]byte, n), want}})
	}
}

func TestCloseAndNotice(t *testing.T) {
	for _, kind := range []Kind{KindClose, KindNotice} {
		body := func(n int) []byte { return set(make([]byte, n), 0, 200) } // 200 is not known
		checkBodies(t, kind, []bodyTest{
			{"empty", nil, ErrMalformed},
			{"a byte short", body(4), ErrMalformed},
			{"without detail", body(5), nil},
			{"detail of 63 bytes", body(5 + MaxDetail - 1), nil},
			{"detail of 64 bytes", body(5 + MaxDetail), nil},
			{"detail of 65 bytes", body(5 + MaxDetail + 1), ErrMalformed},
			{"code 0", make([]byte, 5), ErrMalformed},
		})
	}
}

func TestBearer(t *testing.T) {
	checkBodies(t, KindBearer, []bodyTest{
		{"empty", nil, ErrMalformed},
		{"half a length", []byte{0}, ErrMalformed},
		{"no token", []byte{0, 0}, ErrMalformed},
		{"no token, but a payload", []byte{0, 0, 'x'}, ErrMalformed},
		{"token a byte short", []byte{0, 2, 'x'}, ErrMalformed},
		{"no payload", []byte{0, 1, 'x'}, nil},
		{"a byte of payload", []byte{0, 1, 'x', 'y'}, nil},
		{"nothing but token", append([]byte{0x04, 0x77}, make([]byte, MaxBody-2)...), nil},
	})
}

// helloLanes makes a HELLO that offers lanes, of which the field has this value.
func helloLanes(next byte, value []byte, fields ...[]byte) []byte {
	fields = append([][]byte{field(1, 1), appendField(nil, fieldLanes, value)}, fields...)
	if next != 1 {
		fields[0] = field(2, 1)
		fields = append(fields, field(255, 32))
	}
	return set(helloWith(next, fields...), 36, FeatureLanes)
}

func TestHelloLanes(t *testing.T) {
	none, held := []byte{0, 0, 0, 0, 16}, []byte{1, 2, 3, 4, 16}
	checkBodies(t, KindHello, []bodyTest{
		{"first lanes", helloLanes(1, none), nil},
		// "Without a ticket both sequences are 1, the generation of lanes is 0" PROTOCOL.md 3.1
		{"generation without a ticket", helloLanes(1, held), ErrMalformed},
		{"generation with a ticket", helloLanes(2, held), nil},
		{"no generation beside a ticket", helloLanes(2, none), nil},
		// "A HELLO MUST have the field lanes if it offers feature bit 1, and only then." PROTOCOL.md 16.2
		{"bit without field", set(helloWith(1, field(1, 1)), 36, FeatureLanes), ErrMalformed},
		{"field without bit", set(helloLanes(1, none), 36, 0), ErrMalformed},
		{"field with another bit", set(helloLanes(1, none), 36, FeatureReports), ErrMalformed},
		{"both bits", set(helloLanes(1, none), 36, FeatureReports|FeatureLanes), nil},
		{"delay of 0 ms", helloLanes(1, make([]byte, 5)), ErrMalformed},
		{"delay of 1 ms", helloLanes(1, set(make([]byte, 5), 4, 1)), nil},
		{"no delay", helloLanes(1, none[:4]), ErrMalformed},
		{"15 credits", helloLanes(1, join(none, make([]byte, 60))), nil},
		{"16 credits", helloLanes(1, join(none, make([]byte, 64))), nil},
		{"17 credits", helloLanes(1, join(none, make([]byte, 68))), ErrMalformed},
		{"a quarter of a credit", helloLanes(1, join(none, make([]byte, 1))), ErrMalformed},
		{"longest", set(helloWith(1, field(1, MaxToken), field(3, MaxText), field(4, MaxText), field(5, MaxText), field(7, MaxMetadata),
			appendField(nil, fieldLanes, join(none, make([]byte, 64)))), 36, FeatureLanes), nil},
	})
	if n := len(helloWith(1, field(1, MaxToken), field(3, MaxText), field(4, MaxText), field(5, MaxText), field(7, MaxMetadata), field(8, maxHelloLanes))); n != 4860 {
		t.Errorf("the longest HELLO has %d bytes", n)
	}
}

func TestWelcomeLanes(t *testing.T) {
	body := sample("welcome with lanes")
	at := len(body) - 9 - 5*laneSpecLen
	value, fixed := body[at:], body[:at-3]
	with := func(value []byte) []byte { return appendField(join(fixed), fieldLanes, value) }
	checkBodies(t, KindWelcome, []bodyTest{
		{"as it is", body, nil},
		{"again", with(value), nil},
		// "WELCOME MUST have the field lanes if its features have bit 1, and only then." PROTOCOL.md 16.2
		{"bit without field", fixed, ErrMalformed},
		{"field without bit", set(join(body), 75, FeatureReports), ErrMalformed},
		{"generation 0", with(join(make([]byte, 4), value[4:])), ErrMalformed},
		{"delay of 0 ms", with(set(join(value), 4, 0)), ErrMalformed},
		{"rate of 0", with(join(value[:5], make([]byte, 4), value[9:])), ErrMalformed},
		{"no lane", with(value[:9]), ErrMalformed},
		{"one lane", with(value[:23]), nil},
		{"half a lane", with(value[:30]), ErrMalformed},
		{"16 lanes", with(join(value[:9], bytes.Repeat(value[9:23], 16))), nil},
		{"17 lanes", with(join(value[:9], bytes.Repeat(value[9:23], 17))), ErrMalformed},
	})
	if n := len(appendField(with(join(value[:9], bytes.Repeat(value[9:23], 16))), fieldTicket, make([]byte, MaxTicket))); n > MaxBody {
		t.Errorf("the longest WELCOME has %d bytes, and a body %d", n, MaxBody)
	}
}

// What a mode has no use for is zero, and every number is in its range.
func TestLaneSpec(t *testing.T) {
	loose := LaneSpec{Mode: 1, Weight: 1, MaxMessage: 1}
	strict := LaneSpec{Mode: 3, Weight: 1, MaxMessage: 1000, Credit: 1000}
	latest := LaneSpec{Mode: 5, Weight: 1, MaxMessage: 1}
	for name, test := range map[string]struct {
		of     LaneSpec
		change func(*LaneSpec)
		valid  bool
	}{
		"loose":                            {loose, func(*LaneSpec) {}, true},
		"strict":                           {strict, func(*LaneSpec) {}, true},
		"latest":                           {latest, func(*LaneSpec) {}, true},
		"mode 0":                           {loose, func(l *LaneSpec) { l.Mode = 0 }, false},
		"mode 2":                           {loose, func(l *LaneSpec) { l.Mode = 2 }, true},
		"mode 4":                           {strict, func(l *LaneSpec) { l.Mode = 4 }, true},
		"mode 6":                           {latest, func(l *LaneSpec) { l.Mode = 6 }, false},
		"weight 0":                         {loose, func(l *LaneSpec) { l.Weight = 0 }, false},
		"all flags":                        {loose, func(l *LaneSpec) { l.Flags = 7 }, true},
		"unknown flag":                     {loose, func(l *LaneSpec) { l.Flags = 8 }, false},
		"message of 0":                     {loose, func(l *LaneSpec) { l.MaxMessage = 0 }, false},
		"message of 2^24-1":                {loose, func(l *LaneSpec) { l.MaxMessage = MaxMessage }, true},
		"latest of 1,088":                  {latest, func(l *LaneSpec) { l.MaxMessage = MaxFragment }, true},
		"latest of 1,089":                  {latest, func(l *LaneSpec) { l.MaxMessage = MaxFragment + 1 }, false},
		"parity 4":                         {loose, func(l *LaneSpec) { l.Parity = 4 }, true},
		"parity 5":                         {loose, func(l *LaneSpec) { l.Parity = 5 }, false},
		"parity of a reliable lane":        {strict, func(l *LaneSpec) { l.Parity = 1 }, false},
		"parity, 32 fragments":             {loose, func(l *LaneSpec) { l.Parity, l.MaxMessage = 1, 32*MaxFragment }, true},
		"parity, 33 fragments":             {loose, func(l *LaneSpec) { l.Parity, l.MaxMessage = 1, 32*MaxFragment+1 }, false},
		"credit below the longest message": {strict, func(l *LaneSpec) { l.Credit = 999 }, false},
		"credit above the longest message": {strict, func(l *LaneSpec) { l.Credit = 1001 }, true},
		"credit of a lane that needs none": {loose, func(l *LaneSpec) { l.Credit = 1 }, false},
		"credit of a lane of mode 5":       {latest, func(l *LaneSpec) { l.Credit = 1 }, false},
		"age":                              {loose, func(l *LaneSpec) { l.MaxAge = 1<<32 - 1 }, true},
		"age of a lane of mode 5":          {latest, func(l *LaneSpec) { l.MaxAge = 1 }, false},
		"credit of 2^24":                   {strict, func(l *LaneSpec) { l.Credit = 1 << 24 }, false},
		"first priority":                   {loose, func(l *LaneSpec) { l.Priority = 255 }, true},
	} {
		test.change(&test.of)
		if got := test.of.Valid(); got != test.valid {
			t.Errorf("%s: valid %v", name, got)
		}
		if test.of.Credit > MaxMessage {
			continue // the wire has no room for it
		}
		c := newParser(test.of.appendTo(nil))
		if got := c.laneSpec(); c.Done() != test.valid || test.valid && got != test.of {
			t.Errorf("%s comes back as %+v, %v", name, got, c.Done())
		}
	}
}
