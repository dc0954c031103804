package revocation

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"github.com/sallyport/sallyport/session"
)

// Bits of a record's first byte; the lower four are its kind.
const (
	bitUUID  = 1 << 4 // the value is a UUID in lower case
	bitUntil = 1 << 5
	bitMore  = 1 << 6 // a subject has IssuedBy, a lift has Of and At
	bitClock = 1 << 7 // a subject's IssuedBy is by the publisher's clock
)

const (
	maxIssuers = 255
	maxMicros  = 1 << 62
	maxSeconds = maxMicros / 1_000_000
)

// hasIssuer reports whether records of the kind name an issuer, and hasValue whether they have a
// value.
func (k Kind) hasIssuer() bool { return k.hasValue() && k != KindBuild }
func (k Kind) hasValue() bool  { return k != KindSession && k != KindUsed }

// content collects the records of a segment.
type content struct {
	first   uint64
	issuers []string
	records []byte
	count   int
	number  uint64 // of the last record
	time    int64  // of the last record
	size    int    // bytes of the issuers
}

// add adds a record with a higher number and a later time than the one before. It reports false if
// the segment is full.
func (c *content) add(r *Record) bool {
	issuer := -1
	size := c.size
	if r.Kind.hasIssuer() {
		for i, known := range c.issuers {
			if known == r.Issuer {
				issuer = i
			}
		}
		if issuer < 0 {
			issuer = len(c.issuers)
			size += 2 + len(r.Issuer)
		}
	}
	if c.count == MaxRecords || issuer >= maxIssuers || segmentHeader+3+size+len(c.records)+maxRecord+signatureSize > MaxMessage {
		return false
	}
	if issuer == len(c.issuers) {
		c.issuers = append(c.issuers, r.Issuer)
	}
	if c.count == 0 {
		c.number = c.first - 1
	}
	c.records = appendRecord(c.records, r, byte(max(issuer, 0)), c.number, c.time)
	c.size, c.count, c.number, c.time = size, c.count+1, r.Number, r.Time.UnixMicro()
	return true
}

// bytes returns the content as it is signed.
func (c *content) bytes() []byte {
	b := make([]byte, 0, 3+c.size+len(c.records))
	b = append(b, byte(len(c.issuers)))
	for _, s := range c.issuers {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(c.count))
	return append(b, c.records...)
}

// maxRecord is the most that a record takes without its issuer.
const maxRecord = 1 + 9 + 9 + 9 + 1 + 2 + maxText + 9 + 1 + 1 + maxNote + 8 + 9

// appendRecord appends a record that follows one with this number and time.
func appendRecord(b []byte, r *Record, issuer byte, number uint64, micros int64) []byte {
	first := byte(r.Kind)
	uuid, isUUID := parseUUID(r.Value)
	if r.Kind.hasValue() && isUUID {
		first |= bitUUID
	}
	if !r.Until.IsZero() {
		first |= bitUntil
	}
	if r.Kind == KindSubject && !r.IssuedBy.IsZero() || r.Kind == KindLift && r.Of != (PublisherID{}) {
		first |= bitMore
	}
	if r.byClock {
		first |= bitClock
	}
	b = append(b, first)
	b = binary.AppendUvarint(b, r.Number-number)
	b = binary.AppendUvarint(b, uint64(r.Time.UnixMicro()-micros))
	if first&bitUntil != 0 {
		b = binary.AppendUvarint(b, uint64(r.Until.Unix()))
	}
	if r.Kind.hasIssuer() {
		b = append(b, issuer)
	}
	switch {
	case first&bitUUID != 0:
		b = append(b, uuid[:]...)
	case r.Kind.hasValue():
		b = append(binary.AppendUvarint(b, uint64(len(r.Value))), r.Value...)
	default:
		b = append(b, r.ID[:]...)
	}
	switch r.Kind {
	case KindSubject:
		if first&bitMore != 0 {
			b = binary.AppendUvarint(b, uint64(r.IssuedBy.UnixMicro()))
		}
	case KindBan:
		b = append(append(b, byte(r.Reason), byte(len(r.Note))), r.Note...)
	case KindLift:
		if first&bitMore != 0 {
			b = binary.AppendUvarint(append(b, r.Of[:]...), uint64(r.At.UnixMicro()))
		}
	case KindUsed:
		b = binary.AppendUvarint(append(b, byte(r.Used), byte(r.Reason)), uint64(r.Epoch))
	}
	return b
}

// records calls each with every record of the segment, in order, and reports whether all of the
// content was well formed; nil for each only looks.
func (s *segment) records(each func(*Record)) bool {
	c := cursor{b: s.content, ok: true}
	issuers := make([]string, c.byte())
	for i := range issuers {
		issuers[i] = string(c.take(int(binary.BigEndian.Uint16(c.take(2)))))
		c.ok = c.ok && len(issuers[i]) > 0 && len(issuers[i]) <= maxText
	}
	count := int(binary.BigEndian.Uint16(c.take(2)))
	if count > MaxRecords {
		return false
	}
	number, micros := s.first-1, int64(0)
	for i := 0; i < count && c.ok; i++ {
		var r Record
		c.record(&r, issuers, number, micros)
		number, micros = r.Number, r.Time.UnixMicro()
		if c.ok = c.ok && number < s.end; c.ok && each != nil {
			each(&r)
		}
	}
	return c.ok && len(c.b) == 0 && (s.merged || number == s.end-1)
}

// cursor reads content from front to back. Once something is missing ok is false, and what it
// returns is zero.
type cursor struct {
	b  []byte
	ok bool
}

var zeros [maxText]byte

// take returns the next n bytes.
func (c *cursor) take(n int) []byte {
	if !c.ok || n > len(c.b) || n > maxText {
		c.ok = false
		return zeros[:min(n, maxText)]
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) byte() byte { return c.take(1)[0] }

// uvarint returns the next number, which has no more bytes than it needs.
func (c *cursor) uvarint(most uint64) uint64 {
	n, size := binary.Uvarint(c.b)
	if !c.ok || size <= 0 || n > most || size > 1 && c.b[size-1] == 0 {
		c.ok = false
		return 0
	}
	c.b = c.b[size:]
	return n
}

// record reads a record that follows one with this number and time.
func (c *cursor) record(r *Record, issuers []string, number uint64, micros int64) {
	first := c.byte()
	r.Kind = Kind(first & 15)
	r.byClock = first&bitClock != 0
	c.ok = c.ok && r.Kind >= KindSubject && r.Kind <= KindUsed && (!r.byClock || r.Kind == KindSubject && first&bitMore != 0)
	step, later := c.uvarint(maxNumber), c.uvarint(maxMicros)
	c.ok = c.ok && step > 0 && later > 0 && later <= uint64(maxMicros-micros)
	r.Number = number + step
	r.Time = time.UnixMicro(micros + int64(later)).UTC()
	if first&bitUntil != 0 {
		r.Until = time.Unix(int64(c.uvarint(maxSeconds)), 0).UTC()
	}
	if r.Kind.hasIssuer() {
		if i := int(c.byte()); i < len(issuers) {
			r.Issuer = issuers[i]
		} else {
			c.ok = false
		}
	}
	c.value(r, first)
	more := first&bitMore != 0
	switch {
	case r.Kind == KindSubject && more:
		r.IssuedBy = time.UnixMicro(int64(c.uvarint(maxMicros))).UTC()
	case r.Kind == KindLift && more:
		r.Of = PublisherID(c.take(8))
		r.At = time.UnixMicro(int64(c.uvarint(maxMicros))).UTC()
		c.ok = c.ok && r.Of != PublisherID{}
	case more:
		c.ok = false
	case r.Kind == KindBan:
		r.Reason = session.Reason(c.byte())
		r.Note = string(c.take(int(c.byte())))
		c.ok = c.ok && len(r.Note) <= maxNote
	case r.Kind == KindUsed:
		r.Used, r.Reason = session.UsedKind(c.byte()), session.Reason(c.byte())
		r.Epoch = uint32(c.uvarint(math.MaxUint32))
		c.ok = c.ok && r.Used >= session.UsedToken && r.Used <= session.UsedNetwork && first&bitUntil != 0
	}
}

// value reads what a record is about.
func (c *cursor) value(r *Record, first byte) {
	switch {
	case !r.Kind.hasValue():
		r.ID = [16]byte(c.take(16))
		c.ok = c.ok && first&bitUUID == 0
	case first&bitUUID != 0:
		r.Value = formatUUID(c.take(16))
	default:
		r.Value = string(c.take(int(c.uvarint(maxText))))
		_, isUUID := parseUUID(r.Value)
		c.ok = c.ok && r.Value != "" && !isUUID
	}
}

// parseUUID returns the 16 bytes of a UUID of 36 characters in lower case.
func parseUUID(s string) (u [16]byte, ok bool) {
	if len(s) != 36 {
		return u, false
	}
	var digits [32]byte
	n := 0
	for i := range len(s) {
		ch := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if ch != '-' {
				return u, false
			}
		case ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'f':
			digits[n] = ch
			n++
		default:
			return u, false
		}
	}
	_, err := hex.Decode(u[:], digits[:])
	return u, err == nil
}

// formatUUID returns the text of a UUID.
func formatUUID(u []byte) string {
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}
