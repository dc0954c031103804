package wire

// Renew is the body of RENEW, once its parts are together: a fresh identity token for a session
// that is to go on.
//
//	offset size
//	     0       identity token, 1 to 4096 bytes
type Renew struct {
	Token []byte
}

// ParseRenew reads a whole body. Token is part of it. The error is ErrMalformed.
func ParseRenew(body []byte) (Renew, error) {
	if len(body) == 0 || len(body) > MaxToken {
		return Renew{}, ErrMalformed
	}
	return Renew{Token: body[:len(body):len(body)]}, nil
}

// AppendTo appends the whole body, which Parts cuts for sending.
func (r Renew) AppendTo(dst []byte) []byte { return append(dst, r.Token...) }
