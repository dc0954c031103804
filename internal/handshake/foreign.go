package handshake

import (
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/retry"
)

// Foreign returns a fixed text that says what a datagram is that a client's Conn has refused, if no
// server that asks for a cookie in DTLS 1.2 sends it; empty for one that may be left over from a
// handshake.
func Foreign(datagram []byte) string {
	rec, _, ok := record.Next(datagram)
	if retry.IsRetry(datagram) {
		return ""
	}
	if !ok {
		return notDTLS(datagram)
	}
	h, _ := record.ParseHeader(rec)
	if !known(h.Version) {
		return notDTLS(datagram)
	}
	if body := rec[record.HeaderLen:]; h.Type == record.Handshake && h.Epoch == 0 && len(body) > 0 {
		switch body[0] {
		case clientHello:
			return "it returns what it is sent"
		case serverHello:
			return "it begins a DTLS handshake without a cookie"
		}
	}
	return ""
}

// notDTLS tells TLS from anything else.
func notDTLS(b []byte) string {
	if len(b) >= 3 && b[0] >= 20 && b[0] <= 24 && b[1] == 3 && b[2] <= 4 {
		return "it speaks TLS, not DTLS"
	}
	return "its answers are not DTLS"
}
