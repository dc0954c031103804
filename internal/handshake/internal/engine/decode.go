package engine

import (
	"bytes"
	"encoding/gob"
	"sync"
)

// decoders are idle. A gob begins with the definitions of its types, which are the same in every
// state that this process encodes, and a Decoder compiles them, which costs six times as much as
// decoding the values. A decoder that is kept reads the definitions once: that saves 10.7 µs of a
// handshake's 356 µs, which is why this cache stays.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// decoder is a gob.Decoder that has read these definitions.
type decoder struct {
	types []byte
	in    bytes.Buffer
	gob   *gob.Decoder
}

// decode decodes a state, and erases the secret in raw. A decoder that fails is not used again.
func decode(raw []byte) (*state, error) {
	d := decoders.Get().(*decoder)
	s := new(state)
	if err := d.decode(raw, s); err != nil {
		return nil, err
	}
	decoders.Put(d)
	return s, nil
}

func (d *decoder) decode(raw []byte, s *state) error {
	n := definitions(raw)
	if types := raw[:n]; d.gob == nil || !bytes.Equal(types, d.types) {
		*d = decoder{types: bytes.Clone(types)}
		d.gob = gob.NewDecoder(&d.in)
		n = 0
	}
	if err := d.value(raw[n:], s); err != nil {
		return err
	}
	// The kept decoder holds no secret: the same values without it overwrite the decoder's buffers.
	if i := bytes.Index(raw, s.MasterSecret); i >= 0 {
		clear(raw[i:][:len(s.MasterSecret)])
	}
	return d.value(raw[len(d.types):], new(state))
}

func (d *decoder) value(raw []byte, s *state) error {
	d.in.Reset()
	d.in.Write(raw)
	return d.gob.Decode(s)
}

// definitions returns how many bytes of a gob define types: each message is its length and a type's
// number, which is negative in a definition (encoding/gob, Encoding Details). What is cut short is
// left to the Decoder.
func definitions(raw []byte) (n int) {
	for {
		length, size := gobUint(raw[n:])
		if size == 0 || length > uint64(len(raw)-n-size) {
			return n
		}
		number, ok := gobUint(raw[n+size:])
		if ok == 0 || number&1 == 0 { // the sign is the lowest bit
			return n
		}
		n += size + int(length)
	}
}

// gobUint reads an unsigned integer and returns its size, 0 if there is none: one byte below 128,
// or the negated number of bytes and then these, most significant first.
func gobUint(b []byte) (v uint64, size int) {
	switch {
	case len(b) == 0:
		return 0, 0
	case b[0] < 128:
		return uint64(b[0]), 1
	}
	size = 1 - int(int8(b[0]))
	if size > 9 || size > len(b) {
		return 0, 0
	}
	for _, c := range b[1:size] {
		v = v<<8 | uint64(c)
	}
	return v, size
}
