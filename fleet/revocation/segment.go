package revocation

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
)

// The first two bytes of a message.
const (
	version = 1

	typeHead    = 1
	typeSegment = 2
	typeAsk     = 3
)

const (
	segmentHeader = 99 // bytes before the content
	signatureSize = ed25519.SignatureSize

	flagMerged = 1 // of a segment: records of several, less those that were forgotten
	flagClosed = 1 // of a head
)

// chain is the hash over everything that a publisher has signed up to a record.
type chain [sha256.Size]byte

// segment is the header of a segment, and its records as bytes.
type segment struct {
	publisher     PublisherID
	epoch         uint64
	first, end    uint64 // numbers of the first record and the one after the last
	before, after chain
	merged        bool
	content       []byte
}

// next returns the chain behind content that follows c.
func (c chain) next(content []byte) chain {
	h := sha256.New()
	h.Write(c[:])
	h.Write(content)
	return chain(h.Sum(nil))
}

// appendTo appends the segment and its signature.
func (s *segment) appendTo(dst []byte, key SigningKey) ([]byte, error) {
	at := len(dst)
	dst = append(dst, version, typeSegment)
	dst = append(dst, s.publisher[:]...)
	dst = binary.BigEndian.AppendUint64(dst, s.epoch)
	dst = binary.BigEndian.AppendUint64(dst, s.first)
	dst = binary.BigEndian.AppendUint64(dst, s.end)
	dst = append(dst, s.before[:]...)
	dst = append(dst, s.after[:]...)
	var flags byte
	if s.merged {
		flags = flagMerged
	}
	dst = append(append(dst, flags), s.content...)
	return appendSignature(dst, at, key)
}

// parseSegment reads the header of a segment, which nothing has authenticated yet. The result's
// content is part of b. Neither its records nor its chain have been looked at.
func parseSegment(b []byte) (s segment, ok bool) {
	if len(b) < segmentHeader+3+signatureSize || len(b) > MaxMessage || b[0] != version || b[1] != typeSegment || b[98] > flagMerged {
		return s, false
	}
	s = segment{
		publisher: PublisherID(b[2:]), epoch: binary.BigEndian.Uint64(b[10:]),
		first: binary.BigEndian.Uint64(b[18:]), end: binary.BigEndian.Uint64(b[26:]),
		before: chain(b[34:]), after: chain(b[66:]), merged: b[98] == flagMerged,
		content: b[segmentHeader : len(b)-signatureSize],
	}
	return s, s.epoch > 0 && s.first > 0 && s.first < s.end && s.end <= maxNumber
}

// maxNumber bounds numbers, so that none of them overflows.
const maxNumber = 1 << 62

// appendSignature signs what follows dst[at:].
func appendSignature(dst []byte, at int, key SigningKey) ([]byte, error) {
	signature, err := key.sign(digest(dst[at:]))
	return append(dst, signature...), err
}

// verify reports whether b ends with a signature of key.
func verify(b []byte, key ed25519.PublicKey) bool {
	signed := len(b) - signatureSize
	return signed > 0 && ed25519.Verify(key, digest(b[:signed]), b[signed:])
}

// digest returns what is signed of a message.
func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append([]byte("sallyport v1 revocation\x00"), sum[:]...)
}
