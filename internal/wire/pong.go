package wire

import "encoding/binary"

// Pong is the body of PONG. A server's has the report with FeatureReports and the times with
// FeatureLanes; a client's has the report with FeatureLanes.
//
//	offset size
//	     0    8  data: that of the PING
//	     8       report: lost 4, or nothing; then times: received 8 and sent 8, or nothing
type Pong struct {
	Data     [8]byte
	Report   bool
	Times    bool
	Lost     uint32 // how many of the receiver's datagrams have not come, or too late
	Received int64  // Unix microseconds of the server's clock when the PING came
	Sent     int64  // when this PONG left
}

// ParsePong reads a body of exactly 8, 12, 24 or 28 bytes. The error is ErrMalformed.
func ParsePong(body []byte) (Pong, error) {
	var p Pong
	c := newParser(body)
	c.Fill(p.Data[:])
	if p.Report = len(c.Left())%16 != 0; p.Report {
		p.Lost = c.Uint32()
	}
	if p.Times = len(c.Left()) > 0; p.Times {
		p.Received, p.Sent = int64(c.Uint64()), int64(c.Uint64())
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
	if p.Times {
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.Received))
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.Sent))
	}
	return dst
}
