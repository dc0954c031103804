package testkit

import (
	"encoding/binary"
	"slices"

	"github.com/sallyport/sallyport/internal/record"
)

// maxDatagram is the largest datagram of records that either end looks at, in bytes.
const maxDatagram = 1200

// Rec is a record as anybody can write it.
func Rec(typ record.ContentType, epoch uint16, seq uint64, body ...byte) []byte {
	b := []byte{byte(typ), 0xfe, 0xfd}
	b = binary.BigEndian.AppendUint64(b, uint64(epoch)<<48|seq)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// Forgeries are what somebody sends who hears everything, has no keys, and can
// write any source address. genuine is what was sent before.
func Forgeries(genuine [][]byte) map[string][][]byte {
	last := genuine[len(genuine)-1]
	f := map[string][][]byte{
		"nothing":   {{}, {0}, {23}, {22}, make([]byte, 12), make([]byte, 13)},
		"oversize":  {make([]byte, maxDatagram+1), append(Rec(23, 1, 500), make([]byte, 1500)...), append(Rec(22, 0, 9), make([]byte, 1488)...), make([]byte, 9000)},
		"alert":     {Rec(21, 0, 50, 2, 0), Rec(21, 0, 51, 1, 0), Rec(21, 0, 52, 2, 40), Rec(21, 1, 900, 2, 0), Rec(21, 1, 901, 1, 0), Rec(21, 2, 0, 1, 0)},
		"change":    {Rec(20, 0, 60, 1), Rec(20, 1, 1<<40, 1), Rec(20, 2, 0, 1), Rec(20, 0, 61, 2), Rec(20, 0, 62)},
		"data":      {Rec(23, 0, 70, []byte("plaintext")...), Rec(23, 1, 1<<47, make([]byte, 60)...), Rec(23, 1, 71), Rec(23, 1, 72, make([]byte, 24)...)},
		"epochs":    {Rec(23, 2, 0, make([]byte, 60)...), Rec(23, 0xffff, 1<<48-1, make([]byte, 60)...), Rec(22, 2, 0, make([]byte, 40)...)},
		"versions":  {},
		"types":     {},
		"replayed":  genuine,
		"truncated": {},
		"extended":  {append(slices.Clone(last), 0), append(slices.Clone(last), Rec(21, 0, 99, 2, 0)...), append(Rec(21, 0, 98, 2, 0), last...)},
		"flipped":   {},
		"messages":  {},
		"fragments": {},
	}
	for typ := range 256 {
		for epoch := range uint16(3) {
			f["types"] = append(f["types"], Rec(record.ContentType(typ), epoch, 1000, make([]byte, 40)...))
		}
		f["messages"] = append(f["messages"], Rec(22, 0, uint64(typ), byte(typ), 0, 0, 4, 0, 5, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4))
	}
	for i := range last {
		f["truncated"] = append(f["truncated"], last[:i])
		for bit := range 8 {
			b := slices.Clone(last)
			b[i] ^= 1 << bit
			f["flipped"] = append(f["flipped"], b)
		}
	}
	for i := range 2000 { // 2 MB
		b := []byte{11, 0xff, 0xff, 0, 0, 7, byte(i >> 6), byte(i << 2), 0, 0, 4, 0}
		f["fragments"] = append(f["fragments"], Rec(22, 0, uint64(2000+i), append(b, make([]byte, 1024)...)...))
	}
	return f
}
