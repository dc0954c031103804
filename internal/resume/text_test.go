package resume

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// More texts than there are numbers: the rest is written each time.
func TestSnapshotShared(t *testing.T) {
	out, in := shared{numbers: map[string]uint16{}}, shared{}
	var b []byte
	for n := range maxShared + 100 {
		b = out.append(b, fmt.Sprint(n))
	}
	for n := range maxShared + 100 {
		b = out.append(b, fmt.Sprint(n))
	}
	u := newUnpacker(b)
	for n := range 2 * (maxShared + 100) {
		if got, want := in.parse(&u), fmt.Sprint(n%(maxShared+100)); got != want {
			t.Fatalf("text %d is %q", n, got)
		}
	}
	if !u.Done() || len(in.texts) != maxShared || len(out.numbers) != maxShared {
		t.Errorf("%d bytes left, %d and %d texts", len(u.Left()), len(in.texts), len(out.numbers))
	}
	for known := range 3 { // a number that stands for nothing yet
		u = newUnpacker([]byte{0, byte(known + 1)})
		if text := (&shared{texts: make([]string, known)}).parse(&u); text != "" || !u.Bad() {
			t.Errorf("number %d of %d is %q", known+1, known, text)
		}
	}
}

// "For a UUID of 36 characters, in lower case, it is the length 65,535 and the 16 bytes of the
// UUID." docs/fleet.md 8.4
func TestText(t *testing.T) {
	id := "1a2b3c4d-5e6f-7a8b-9c0d-e1f203142536"
	for text, want := range map[string]string{
		id:                              "\xff\xff" + string(unhex(strings.ReplaceAll(id, "-", ""))),
		id[1:]:                          "\x00\x23" + id[1:],
		id + "0":                        "\x00\x25" + id + "0",
		strings.ToUpper(id):             "\x00\x24" + strings.ToUpper(id),
		"1a2b3c4d5-e6f" + id[13:]:       "\x00\x241a2b3c4d5-e6f" + id[13:],
		id[:35] + "g":                   "\x00\x24" + id[:35] + "g",
		id[:35] + "-":                   "\x00\x24" + id[:35] + "-",
		strings.Repeat("k", 36):         "\x00\x24" + strings.Repeat("k", 36),
		strings.Repeat("k", maxText):    "\x0c\x00" + strings.Repeat("k", maxText),
		"":                              "\x00\x00",
		"\xff" + strings.Repeat("é", 8): "\x00\x11\xff" + strings.Repeat("é", 8),
	} {
		b := appendText([]byte("dst"), text)
		if string(b) != "dst"+want {
			t.Errorf("%q is written as %x", text, b)
		}
		u := newUnpacker(append(bytes.Clone(b[3:]), 7))
		if got := u.text(); got != text || u.Bad() || len(u.Left()) != 1 {
			t.Errorf("%q comes back as %q", text, got)
		}
		u = newUnpacker(b[3 : len(b)-1])
		if u.text(); !u.Bad() {
			t.Errorf("%q without its end is taken", text)
		}
	}
}
