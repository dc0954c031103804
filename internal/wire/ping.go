package wire

// Ping is the body of PING.
//
//	offset size
//	     0    8  data
type Ping struct {
	Data [8]byte
}

// ParsePing reads a body of exactly 8 bytes. The error is ErrMalformed.
func ParsePing(body []byte) (Ping, error) {
	var p Ping
	if len(body) != len(p.Data) {
		return Ping{}, ErrMalformed
	}
	copy(p.Data[:], body)
	return p, nil
}

// AppendTo appends the body.
func (p Ping) AppendTo(dst []byte) []byte { return append(dst, p.Data[:]...) }
