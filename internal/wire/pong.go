package wire

import "encoding/binary"

// Pong is the body of PONG. The report comes from a server, and only with FeatureReports.
//
//	offset size
//	     0    8  data: that of the PING
//	     8       report: lost 4, or nothing
type Pong struct {
	Data   [8]byte
	Report bool
	Lost   uint32 // how many of the client's datagrams have not come, or too late
}

// ParsePong reads a body of exactly 8 or 12 bytes. The error is ErrMalformed.
func ParsePong(body []byte) (Pong, error) {
	var p Pong
	c := newParser(body)
	c.Fill(p.Data[:])
	if len(c.Left()) > 0 {
		p.Report, p.Lost = true, c.Uint32()
	}
	if !c.Done() {
		return Pong{}, ErrMalformed
	}
	return p, nil
}

// AppendTo appends the body.
func (p Pong) AppendTo(dst []byte) []byte {
	dst = append(dst, p.Data[:]...)
	if p.Report {
		dst = binary.BigEndian.AppendUint32(dst, p.Lost)
	}
	return dst
}
