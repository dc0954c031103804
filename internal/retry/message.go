package retry

import (
	"crypto/subtle"
	"encoding/binary"
)

// Both messages begin with a type, of which neither DTLS nor anything else that shares a port with
// it has any (RFC 7983 and RFC 9443 leave 4 to 15 free), and a version. Everything is in network
// order.
//
// RETRY, from the server:
//
//	offset size
//	     0    1  type: 10
//	     1    1  version: 1
//	     2   20  token
//	    22   32  random of the ClientHello
//
// RETURN, from the client:
//
//	offset size
//	     0    1  type: 11
//	     1    1  version: 1
//	     2   20  token
//	    22    2  length n of the ticket, 0 without
//	    24    n  ticket
//	  24+n   16  proof of the ticket, if there is one
//	             what it goes before: records of the handshake
const (
	TypeRetry  = 10
	TypeReturn = 11
	version    = 1

	TokenLen  = 20
	RandomLen = 32
	ProofLen  = 16

	RetryLen  = 2 + TokenLen + RandomLen
	ReturnLen = 2 + TokenLen + 2 // without a ticket

	// maxTicket is the longest ticket in bytes, that of package wire.
	maxTicket = 512
)

// Token is opaque to a client.
type Token [TokenLen]byte

// AppendRetry appends a RETRY.
func AppendRetry(dst []byte, token *Token, random *[RandomLen]byte) []byte {
	dst = append(dst, TypeRetry, version)
	return append(append(dst, token[:]...), random[:]...)
}

// IsRetry reports whether a datagram is a RETRY of any version.
func IsRetry(b []byte) bool { return len(b) > 0 && b[0] == TypeRetry }

// ParseRetry returns the token of a RETRY that answers the ClientHello with this random. It reports
// false for everything else: whoever has not seen the ClientHello cannot make one that counts.
func ParseRetry(b []byte, random *[RandomLen]byte) (token Token, ok bool) {
	if len(b) != RetryLen || b[0] != TypeRetry || b[1] != version || subtle.ConstantTimeCompare(b[2+TokenLen:], random[:]) != 1 {
		return Token{}, false
	}
	return Token(b[2:]), true
}

// Return is a RETURN. Its slices are part of the datagram.
type Return struct {
	Token   *Token
	Ticket  []byte // nil without
	Proof   []byte // of the ticket; nil without
	Records []byte // what it goes before
}

// IsReturn reports whether a datagram is a RETURN of any version.
func IsReturn(b []byte) bool { return len(b) > 0 && b[0] == TypeReturn }

// AppendReturn appends a RETURN that goes before nothing yet. A ticket of more than 512 bytes, or
// without a proof, is left out.
func AppendReturn(dst []byte, token *Token, ticket []byte, proof *[ProofLen]byte) []byte {
	dst = append(append(dst, TypeReturn, version), token[:]...)
	if len(ticket) == 0 || len(ticket) > maxTicket || proof == nil {
		return append(dst, 0, 0)
	}
	dst = append(binary.BigEndian.AppendUint16(dst, uint16(len(ticket))), ticket...)
	return append(dst, proof[:]...)
}

// ParseReturn parses a RETURN. It reports false for one that is malformed, and for one that goes
// before nothing.
func ParseReturn(b []byte) (r Return, ok bool) {
	if len(b) <= ReturnLen || b[0] != TypeReturn || b[1] != version {
		return Return{}, false
	}
	r.Token = (*Token)(b[2:])
	n := int(binary.BigEndian.Uint16(b[2+TokenLen:]))
	r.Records = b[ReturnLen:]
	if n > 0 {
		if n > maxTicket || len(r.Records) <= n+ProofLen {
			return Return{}, false
		}
		r.Ticket, r.Proof, r.Records = r.Records[:n:n], r.Records[n:][:ProofLen:ProofLen], r.Records[n+ProofLen:]
	}
	return r, true
}
