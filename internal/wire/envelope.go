package wire

import (
	"encoding/binary"
	"errors"
)

var (
	// ErrMalformed is returned for bytes that are no message of this version.
	ErrMalformed = errors.New("wire: malformed")

	// ErrVersion is returned for an envelope of another protocol version.
	ErrVersion = errors.New("wire: unknown version")
)

// epochMask covers the token epoch in the second byte; the other bits are flags, and no kind
// defines one yet.
const epochMask = 0b11

// Envelope is one message: the header's fields and the body.
type Envelope struct {
	Kind    Kind
	Epoch   uint8  // token epoch modulo 4
	Session uint32 // session id; 0 outside a session
	Seq     uint32 // low 32 bits of the sequence; replay.Window restores the rest
	Tag     Tag
	Body    []byte // 0 to MaxBody bytes
}

// Parse reads the plaintext of one record. Body is part of b and lives as long as b does.
//
// The error is ErrMalformed or ErrVersion. The layout of the header is the same in every version,
// so with ErrVersion the envelope's header and body are filled in: a server answers a HELLO of an
// unknown version, and a client understands the CLOSE in reply.
func Parse(b []byte) (Envelope, error) {
	if len(b) < HeaderLen || len(b) > MaxEnvelope {
		return Envelope{}, ErrMalformed
	}
	e := Envelope{
		Kind:    Kind(b[0] & 0x0f),
		Epoch:   b[1] & epochMask,
		Session: binary.BigEndian.Uint32(b[2:]),
		Seq:     binary.BigEndian.Uint32(b[6:]),
		Tag:     Tag(b[10:HeaderLen]),
		Body:    b[HeaderLen:len(b):len(b)],
	}
	if b[0]>>4 != Version {
		return e, ErrVersion
	}
	if !e.Kind.known() || b[1]&^epochMask != 0 || !e.unusedIsZero() {
		return Envelope{}, ErrMalformed
	}
	return e, nil
}

// AppendTo appends header and body to dst.
func (e Envelope) AppendTo(dst []byte) []byte {
	var header [HeaderLen]byte
	PutHeader(header[:], e)
	return append(append(dst, header[:]...), e.Body...)
}

// PutHeader writes the header of e to the first HeaderLen bytes of dst, for a body that already
// follows them. It panics if dst is shorter.
func PutHeader(dst []byte, e Envelope) {
	_ = dst[HeaderLen-1]
	dst[0] = Version<<4 | byte(e.Kind)
	dst[1] = e.Epoch & epochMask
	binary.BigEndian.PutUint32(dst[2:], e.Session)
	binary.BigEndian.PutUint32(dst[6:], e.Seq)
	copy(dst[10:HeaderLen], e.Tag[:])
}

// unusedIsZero reports whether the header fields that the kind does not use are zero.
func (e *Envelope) unusedIsZero() bool {
	untagged := e.Epoch == 0 && e.Tag == Tag{}
	outside := untagged && e.Session == 0 && e.Seq == 0
	switch e.Kind {
	case KindHello, KindWelcome:
		return outside
	case KindClose:
		return outside || e.Session != 0
	case KindBearer:
		return untagged
	}
	return true
}
