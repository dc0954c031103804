package pion2_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/dtls/v2"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/handshake/internal/enginetest"
	"github.com/sallyport/sallyport/internal/handshake/pion2"
	"github.com/sallyport/sallyport/internal/record"
)

// certificateVerify is the handshake message type.
const certificateVerify = 15

// swapVerify rewrites the CertificateVerify in a flight to name Ed25519 (0x0807) and carry sig.
func swapVerify(flight, sig []byte) (out []byte) {
	for len(flight) > 0 {
		rec, rest, _ := record.Next(flight)
		flight = rest
		if b := rec[record.HeaderLen:]; rec[0] == byte(record.Handshake) && rec[4] == 0 && b[0] == certificateVerify {
			body := slices.Concat([]byte{8, 7, byte(len(sig) >> 8), byte(len(sig))}, sig)
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

// serving prepares a server that wants a certificate of pool's: of v2's defaults, or ours.
func serving(ctx context.Context, l *enginetest.Link, defaults bool, cert *tls.Certificate, pool *x509.CertPool) func() error {
	if !defaults {
		end := enginetest.NewEnd(l, false)
		return func() error {
			_, err := pion2.Engine{}.Server(ctx, end.Conn, &handshake.Config{
				Certificate: enginetest.Fixed(cert), ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
			})
			end.Conn.Wait()
			return err
		}
	}
	pipe := enginetest.NewPipe(l, false)
	return func() error {
		conn, err := dtls.ServerWithContext(ctx, pipe, &dtls.Config{
			Certificates: []tls.Certificate{*cert}, ClientAuth: dtls.RequireAndVerifyClientCert, ClientCAs: pool,
		})
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
}

// "The check then proves nothing, for server and for client certificates." An impostor has a player's certificate,
// but not its key. Since v2 does not look at the client's Finished either, its default server takes him for the
// player; ours does not.
func TestForgedClientScheme(t *testing.T) {
	ec, impostor, _, _, _ := enginetest.Keys(t)
	ca := enginetest.NewAuthority("authority", false)
	server := ca.Issue(enginetest.ServerName, impostor)
	cert := ca.Issue("player", ec)
	cert.PrivateKey = impostor
	for name, fooled := range map[string]bool{"defaults": true, "ours": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &enginetest.Link{Latency: time.Millisecond, Tap: func(fromClient bool, _ int, b []byte) [][]byte {
					if fromClient {
						b = swapVerify(b, forge(ec.Public().(*ecdsa.PublicKey)))
					}
					return [][]byte{b}
				}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				done := make(chan struct{})
				client := enginetest.NewPipe(l, true)
				serve := serving(ctx, l, fooled, server, ca.Pool)
				go func() {
					defer close(done)
					conn, err := dtls.ClientWithContext(ctx, client, &dtls.Config{
						Certificates: []tls.Certificate{*cert}, RootCAs: ca.Pool, ServerName: enginetest.ServerName,
					})
					if err == nil {
						_ = conn.Close()
					}
				}()
				err := serve()
				<-done
				if (err == nil) != fooled {
					t.Errorf("server believed the impostor: %v", err)
				}
			})
		})
	}
}
