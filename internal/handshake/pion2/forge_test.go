package pion2_test

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/internal/handshake/pion2"
	"github.com/sallyport/sallyport/internal/record"
)

// forge makes an ECDSA signature of an empty hash from nothing but a public key: for any u, with R = u·Q,
// r = R.x and s = r/u, verification computes 0·G + (r/s)·Q = R.
func forge(pub *ecdsa.PublicKey) []byte {
	n := pub.Params().N
	q, _ := pub.ECDH()
	for {
		key, _ := ecdh.P256().GenerateKey(rand.Reader)
		x, _ := key.ECDH(q) // the x coordinate of u·Q
		u, r := new(big.Int).SetBytes(key.Bytes()), new(big.Int).SetBytes(x)
		r.Mod(r, n)
		s := new(big.Int).Mul(r, new(big.Int).ModInverse(u, n))
		if der, _ := asn1.Marshal(struct{ R, S *big.Int }{r, s.Mod(s, n)}); len(der) > 60 {
			return der
		}
	}
}

// serverKeyExchange is the handshake message type.
const serverKeyExchange = 12

// swapSignature rewrites the ServerKeyExchange in a flight to name Ed25519 (0x0807) and carry sig.
func swapSignature(flight, sig []byte) (out []byte) {
	for len(flight) > 0 {
		rec, rest, _ := record.Next(flight)
		flight = rest
		if b := rec[record.HeaderLen:]; rec[0] == byte(record.Handshake) && b[0] == serverKeyExchange {
			params := b[12 : 12+4+int(b[15])]
			body := slices.Concat(params, []byte{8, 7, byte(len(sig) >> 8), byte(len(sig))}, sig)
			head := slices.Clone(rec[:record.HeaderLen+12])
			binary.BigEndian.PutUint16(head[11:], uint16(12+len(body)))
			for _, at := range []int{1, 9} { // message and fragment length
				binary.BigEndian.PutUint16(head[record.HeaderLen+at+1:], uint16(len(body)))
			}
			rec = append(head, body...)
		}
		out = append(out, rec...)
	}
	return out
}

// "A peer may name a signature scheme that does not fit its key; the check then proves nothing." An impostor has
// the server's certificate, but not its key. He has passed for the server when the client answers his flight
// with its own. The defaults of v2 fall for it; our client does not.
func TestForgedScheme(t *testing.T) {
	ec, impostor, _, _, _ := enginetest.Keys(t)
	ca := enginetest.NewAuthority("authority", false)
	cert := ca.Issue(enginetest.ServerName, ec)
	cert.PrivateKey = impostor
	for name, fooled := range map[string]bool{"defaults": true, "ours": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answered := false
				l := &enginetest.Link{Latency: time.Millisecond, Tap: func(fromClient bool, _ int, b []byte) [][]byte {
					if fromClient {
						answered = answered || b[0] == byte(record.Handshake) && b[record.HeaderLen] == 16 // ClientKeyExchange
						return [][]byte{b}
					}
					return [][]byte{swapSignature(b, forge(ec.Public().(*ecdsa.PublicKey)))}
				}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				server, done := enginetest.NewPipe(l, false), make(chan struct{})
				go func() {
					defer close(done)
					_, _ = library{}.Server(ctx, server, enginetest.NativeConfig{Certificate: cert})
				}()
				if fooled {
					pipe := enginetest.NewPipe(l, true)
					_, _ = library{}.Client(ctx, pipe, enginetest.NativeConfig{Pool: ca.Pool})
				} else {
					end := enginetest.NewEnd(l, true)
					_, _ = pion2.Engine{}.Client(ctx, end.Conn, &handshake.Config{RootCAs: ca.Pool, ServerName: enginetest.ServerName})
				}
				<-done
				if answered != fooled {
					t.Errorf("client believed the impostor: %v", answered)
				}
			})
		})
	}
}
