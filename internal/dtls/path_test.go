package dtls

import (
	"encoding/binary"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
)

// "they MUST NOT end with the low 32 bits of the record number: the server would take what is in front of those for a
// connection id" PROTOCOL.md 9.3; and it takes no other nonce for one.
func TestIDOf(t *testing.T) {
	const number = 0x1234_89abcdef
	for nonce, want := range map[uint64]uint32{
		0xdeadbeef_89abcdef:  0xdeadbeef,
		0x00020000_89abcdef:  0x00020000,
		0x0001_1234_89abcdef: 0, // DTLS epoch and record number
		0x00000000_89abcdef:  0,
		0xdeadbeef_89abcdee:  0, // drawn at random
		0xdeadbeef_0000cdef:  0,
	} {
		body := append(binary.BigEndian.AppendUint64(nil, nonce), make([]byte, 17)...)
		for typ, want := range map[record.ContentType]uint32{record.ApplicationData: want, record.Handshake: 0, record.Alert: 0} {
			if id, ok := IDOf(testkit.Rec(typ, 1, number, body...)); ok != (want != 0) || ok && id != want {
				t.Errorf("%v, nonce %016x: %x, %v, want %x", typ, nonce, id, ok, want)
			}
		}
	}
}
