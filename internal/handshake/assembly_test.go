package handshake

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// slowAssembly is what assembly must agree with: the fragments that it has taken, one after the other.
type slowAssembly struct {
	length   int
	have     map[int]byte
	disputed bool
}

func (a *slowAssembly) add(m message) bool {
	if m.length != a.length {
		return false
	}
	for i, b := range m.body {
		if was, ok := a.have[m.from+i]; ok && was != b {
			a.disputed = true
			return false
		}
	}
	for i, b := range m.body {
		a.have[m.from+i] = b
	}
	return true
}

func (a *slowAssembly) whole() []byte {
	if len(a.have) < a.length || a.disputed {
		return nil
	}
	b := make([]byte, a.length)
	for i := range b {
		b[i] = a.have[i]
	}
	return b
}

// Fragments in any order, that overlap, repeat, leave gaps or change their minds: "a changed total length" and other
// bytes in the same place are not taken, and change nothing. Each is three pairs of bytes: where it begins, how long it
// is, and of how long a whole, and one byte more of what it is full.
func FuzzAssembly(f *testing.F) {
	f.Add(uint16(30), []byte{0, 0, 0, 10, 0, 30, 1, 0, 10, 0, 10, 0, 30, 1, 0, 20, 0, 10, 0, 30, 1})
	f.Add(uint16(30), []byte{0, 20, 0, 10, 0, 30, 1, 0, 0, 0, 25, 0, 30, 1})
	f.Add(uint16(30), []byte{0, 0, 0, 20, 0, 30, 1, 0, 10, 0, 20, 0, 30, 2, 0, 10, 0, 20, 0, 31, 1, 0, 10, 0, 20, 0, 30, 1})
	f.Add(uint16(1), []byte{0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1})
	f.Fuzz(func(t *testing.T, length uint16, script []byte) {
		if length == 0 || length > MaxHello {
			return
		}
		var fast assembly
		fast.begin(int(length))
		slow := slowAssembly{length: int(length), have: map[int]byte{}}
		for ; len(script) >= 7; script = script[7:] {
			m := message{from: int(binary.BigEndian.Uint16(script)), length: int(binary.BigEndian.Uint16(script[4:]))}
			m.to = m.from + int(binary.BigEndian.Uint16(script[2:]))
			if m.to > m.length {
				continue // nextMessage refuses it
			}
			m.body = bytes.Repeat(script[6:7], m.to-m.from)
			if got, want := fast.add(m), slow.add(m); got != want {
				t.Fatalf("%d to %d of %d: %v, want %v", m.from, m.to, m.length, got, want)
			}
			whole, ok := fast.take()
			if want := slow.whole(); ok != (want != nil) || !bytes.Equal(whole, want) {
				t.Fatalf("the whole: %x, want %x", whole, want)
			}
			if ok {
				return
			}
		}
	})
}
