package enginetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
)

// testMangled changes handshake messages on their way. Whatever arrives, no engine panics or agrees on
// something else than its peer, and nothing is left behind. A panic in an engine's goroutine ends the process.
func testMangled(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	for seed := range uint64(rounds) {
		bubble(t, fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			p := Run(t, &Link{Latency: time.Millisecond, Tap: func(_ bool, i int, b []byte) [][]byte {
				if rng.IntN(3) == 0 && i < 12 {
					return [][]byte{mangle(rng, slices.Clone(b)), b}
				}
				return [][]byte{b}
			}}, se, ce, sc, cc)
			if p.ServerErr == nil && p.ClientErr == nil && p.ServerRes.Secrets.Master == p.ClientRes.Secrets.Master {
				p.Check(t)
			}
			p.Wait()
		})
	}
}

// mangle changes a few bytes of a datagram behind its record header, or cuts a record and says so.
func mangle(rng *rand.Rand, b []byte) []byte {
	if len(b) <= record.HeaderLen+1 {
		return b
	}
	if rng.IntN(4) == 0 {
		n := record.HeaderLen + rng.IntN(len(b)-record.HeaderLen)
		b = b[:n]
		b[11], b[12] = byte((n-record.HeaderLen)>>8), byte(n-record.HeaderLen)
		return b
	}
	for range 1 + rng.IntN(4) {
		i := record.HeaderLen + rng.IntN(len(b)-record.HeaderLen)
		b[i] = byte(rng.Uint32())
	}
	return b
}

// "The master secret depends on the transcript (RFC 7627), so a tampered handshake yields different keys." Someone
// on the path takes the client's first choice of suite away. The server, which may not compare the client's
// Finished, does not get to one.
func testTampered(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	bubble(t, "", func(t *testing.T) {
		answered := false
		p := Run(t, &Link{Latency: time.Millisecond, Tap: func(fromClient bool, _ int, b []byte) [][]byte {
			if fromClient && b[record.HeaderLen] == 1 { // ClientHello
				b = bytes.Clone(b)
				b[bytes.LastIndex(b, []byte{0xc0, 0x2b})+1] = 0x2d // the last: random and cookie stand before the suites
			}
			answered = answered || fromClient && b[record.HeaderLen] == 16 // ClientKeyExchange: the client went along
			return [][]byte{b}
		}}, se, ce, sc, cc)
		if p.ServerErr == nil || p.ClientErr == nil || !answered {
			t.Errorf("server %v, client %v, client answered: %v", p.ServerErr, p.ClientErr, answered)
		}
		p.Wait()
	})
}
