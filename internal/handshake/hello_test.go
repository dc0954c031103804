package handshake

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
)

// name builds an entry of a list of server names.
func name(typ byte, text string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{typ}, uint16(len(text))), text...)
}

// names builds the extension with such a list, and more behind it.
func names(more string, entries ...[]byte) []byte {
	list := slices.Concat(entries...)
	body := append(binary.BigEndian.AppendUint16(nil, uint16(len(list))), list...)
	return extension(extServerName, append(body, more...)...)
}

// honest are extensions that real clients send, and malformed what none may.
var honest = map[string][][]byte{
	"none":          nil,
	"usual":         usual,
	"renegotiation": append(slices.Clone(usual), extension(extRenegotiation, 0)),
	"a name":        append(slices.Clone(usual), names("", name(0, "match.example"))),
	"two kinds":     append(slices.Clone(usual), names("", name(0, "match.example"), name(1, "x"))),
	"point formats": append(slices.Clone(usual), extension(extPointFormats, 3, 2, 1, 0)),
	"signatures":    append(slices.Clone(usual), extension(extSignatures, 0, 4, 4, 3, 4, 1)),
	"unknown":       append(slices.Clone(usual), extension(0x0a0a), extension(51, make([]byte, 1250)...), extension(43, 4, 0xfe, 0xfc, 0xfe, 0xfd)),
}

var malformed = map[string][][]byte{
	"the same twice":                 append(slices.Clone(usual), extension(extMasterSecret)),
	"unknown twice":                  {extension(0x0a0a), extension(0x0a0a)},
	"renegotiation under way":        {extension(extRenegotiation, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)},
	"renegotiation without a length": {extension(extRenegotiation)},
	"bytes after the length":         {extension(extRenegotiation, 0, 0)},
	"bytes after the names":          {names("\x00", name(0, "match.example"))},
	"bytes after a name":             {names("", name(0, "match.example"), []byte{0, 0})},
	"no name":                        {names("")},
	"an empty name":                  {names("", name(0, ""))},
	"two names":                      {names("", name(0, "match.example"), name(0, "other.example"))},
	"a name cut short":               {names("", name(0, "match.example")[:9])},
	"half a group":                   {extension(extGroups, 0, 3, 0, P256, 0)},
	"bytes after the groups":         {extension(extGroups, 0, 2, 0, P256, 0)},
	"no group":                       {extension(extGroups, 0, 0)},
	"no signature":                   {extension(extSignatures, 0, 0)},
	"compressed points only":         {extension(extPointFormats, 1, 1)},
	"a master secret with content":   {extension(extMasterSecret, 0)},
	"an extension cut short":         {{0, 10, 0, 9, 0}},
	"half an extension":              {{0, 10, 0}},
	"more than anybody has": func() (many [][]byte) {
		for i := range maxExtensions + 1 {
			many = append(many, extension(uint16(1000+i)))
		}
		return many
	}(),
}

// "A ClientHello that is malformed MUST be refused: one with an extension twice, without the null compression, with
// a renegotiation_info that is not empty, or with bytes left over in it or in an extension that the server reads."
// PROTOCOL.md 9.1
func TestReadOffer(t *testing.T) {
	for what, extensions := range honest {
		b := helloBody(nil, choices, extensions...)
		if _, ok := readOffer(b, len(b)); !ok {
			t.Errorf("%s: refused", what)
		}
		if _, ok := readOffer(append(b, 0), len(b)+1); ok {
			t.Errorf("%s: a byte left over", what)
		}
		for n := range b { // a fragment of it will do from the extensions on, and the whole is none when it is cut
			start := 2 + 32 + 1 + 1 + len(choices)
			if _, ok := readOffer(b[:n], len(b)); ok != (n >= start) {
				t.Errorf("%s: first %d of %d bytes: %v", what, n, len(b), ok)
			}
			if _, ok := readOffer(b[:n], n); ok != (n == start) {
				t.Errorf("%s: %d bytes that claim to be all: %v", what, n, ok)
			}
		}
	}
	for what, extensions := range malformed {
		b := helloBody(nil, choices, extensions...)
		if _, ok := readOffer(b, len(b)); ok {
			t.Errorf("%s: taken", what)
		}
		if IsFirstHello(rec(record.Handshake, 0, 0, appendMessage(nil, clientHello, 0, b))) {
			t.Errorf("%s: begins a handshake", what)
		}
	}
	for what, choices := range map[string][]byte{
		"no null compression":     {0, 2, 0xc0, 0x2b, 1, 1},
		"no compression":          {0, 2, 0xc0, 0x2b, 0},
		"no suite":                {0, 0, 1, 0},
		"half a suite":            {0, 3, 0xc0, 0x2b, 0xc0, 1, 0},
		"suites longer than all":  {0xff, 0xff, 0xc0, 0x2b, 1, 0},
		"methods longer than all": {0, 2, 0xc0, 0x2b, 255, 0},
	} {
		if b := helloBody(nil, choices, usual...); func() bool { _, ok := readOffer(b, len(b)); return ok }() {
			t.Errorf("%s: taken", what)
		}
	}
	long := append(append([]byte{0xfe, 0xfd}, make([]byte, 32)...), 33)
	long = append(append(append(long, make([]byte, 33)...), 0), choices...)
	if _, ok := readOffer(long, len(long)); ok {
		t.Error("a session id of 33 bytes is taken")
	}
}

// Whatever comes, reading neither panics nor looks beyond its end, what a fragment says the whole does not take back,
// and nothing is taken whole that one byte more or less would be, too.
func FuzzReadOffer(f *testing.F) {
	for _, extensions := range honest {
		f.Add(helloBody(cookie, choices, extensions...), 60)
	}
	for _, extensions := range malformed {
		f.Add(helloBody(nil, choices, extensions...), 60)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		whole, ok := readOffer(b, len(b))
		if n < 0 || n > len(b) {
			return
		}
		part, ok2 := readOffer(slices.Clip(b[:n]), len(b))
		switch {
		case !ok:
			return
		case ok2 && (!sameHello(whole, part) || !bytes.Equal(whole.cookie, part.cookie) || part.masterSecret && !whole.masterSecret ||
			part.named && !bytes.Equal(part.groups, whole.groups)):
			t.Fatal("a fragment says something else")
		case !ok2 && n >= len(whole.head)+1+len(whole.cookie)+len(whole.choices):
			t.Fatal("a fragment of what is taken is refused")
		}
		if _, ok := readOffer(append(slices.Clone(b), 0), len(b)+1); ok {
			t.Fatal("a byte left over is taken")
		}
	})
}
