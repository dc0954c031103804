package enginetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
)

// clientHello is the handshake message type.
const clientHello = 1

// fragment cuts the ClientHello in a datagram into pieces of n bytes, each in a record and a datagram of its own. Each
// takes its number from next.
func fragment(b []byte, n int, next *uint16) (out [][]byte) {
	if b[0] != byte(record.Handshake) || b[4] != 0 || b[record.HeaderLen] != clientHello {
		for rest := b; len(rest) > 0 && rest[4] == 0; { // what follows keeps pace
			binary.BigEndian.PutUint16(rest[9:], *next)
			*next++
			_, rest, _ = record.Next(rest)
		}
		return [][]byte{b}
	}
	const header = record.HeaderLen + 12
	body := b[header:]
	for from := 0; from < len(body); from += n {
		to := min(from+n, len(body))
		f := slices.Concat(b[:header], body[from:to])
		binary.BigEndian.PutUint16(f[9:], *next)
		*next++
		binary.BigEndian.PutUint16(f[11:], uint16(12+to-from))
		binary.BigEndian.PutUint16(f[record.HeaderLen+7:], uint16(from))
		binary.BigEndian.PutUint16(f[record.HeaderLen+10:], uint16(to-from))
		out = append(out, f)
	}
	return out
}

// A ClientHello in fragments is served as one that is whole, even if one of them is lost or the later ones come
// in another order: at the cost of a retransmission in the first case, of nothing in the other.
func testFragments(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	for _, size := range []int{70, 100} {
		for lost := range 4 {
			bubble(t, fmt.Sprintf("%d bytes, %d lost", size, lost), func(t *testing.T) {
				next, sent := uint16(0), 0
				p := Run(t, &Link{Latency: 10 * time.Millisecond, Tap: func(fromClient bool, n int, b []byte) [][]byte {
					if h, _ := record.ParseHeader(b); !fromClient || h.Epoch != 0 {
						return [][]byte{b}
					}
					parts := fragment(b, size, &next)
					if len(parts) > 2 {
						slices.Reverse(parts[1:])
					}
					if len(parts) > 1 {
						if sent++; sent == 2 && lost > 0 {
							parts = slices.Delete(parts, min(lost, len(parts))-1, min(lost, len(parts)))
						}
					}
					return parts
				}}, se, ce, sc, cc)
				p.Check(t)
				if sent < 2 {
					t.Fatal("no ClientHello was in fragments")
				}
				if limit := time.Duration(62+202*min(lost, 1)) * time.Millisecond; p.ClientAt > limit {
					t.Errorf("took %v", p.ClientAt)
				}
			})
		}
	}
}

// A client whose records are shorter than its datagrams sends several fragments in one: RFC 6347 4.1.1.
func testFragmentsTogether(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	for _, size := range []int{70, 100} {
		for _, each := range []int{2, 9} { // in a datagram
			bubble(t, fmt.Sprintf("%d bytes, %d in one", size, each), func(t *testing.T) {
				next, sent := uint16(0), 0
				p := Run(t, &Link{Latency: 10 * time.Millisecond, Tap: func(fromClient bool, n int, b []byte) (out [][]byte) {
					if h, _ := record.ParseHeader(b); !fromClient || h.Epoch != 0 {
						return [][]byte{b}
					}
					parts := fragment(b, size, &next)
					sent += min(len(parts)-1, 1)
					for some := range slices.Chunk(parts, each) {
						out = append(out, slices.Concat(some...))
					}
					return out
				}}, se, ce, sc, cc)
				p.Check(t)
				if sent != 2 || p.ClientAt > 62*time.Millisecond {
					t.Errorf("%d ClientHellos in fragments took %v", sent, p.ClientAt)
				}
			})
		}
	}
}

// An alert that nobody can have authenticated ends nothing while the handshake goes on, whenever and to whomever it
// comes. When nothing else comes any more, it says why.
func testAlerts(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	alert := []byte{byte(record.Alert), 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 48}
	bubble(t, "beside a handshake", func(t *testing.T) {
		p := Run(t, &Link{Latency: 150 * time.Millisecond, Tap: func(_ bool, _ int, b []byte) [][]byte {
			return [][]byte{alert, b, alert}
		}}, se, ce, sc, cc)
		p.Check(t)
		if p.ClientAt > 901*time.Millisecond {
			t.Errorf("took %v", p.ClientAt)
		}
	})
	for name, c := range map[string]struct {
		keep int
		at   time.Duration
	}{"to the first": {0, 2 * time.Millisecond}, "to the second": {1, 4 * time.Millisecond}} {
		bubble(t, name, func(t *testing.T) {
			p := Run(t, &Link{Latency: time.Millisecond, Tap: func(fromClient bool, n int, b []byte) [][]byte {
				switch {
				case fromClient || n < c.keep:
					return [][]byte{b}
				case n == c.keep:
					return [][]byte{alert}
				}
				return nil
			}}, se, ce, sc, cc)
			var got handshake.AlertError
			if !errors.As(p.ClientErr, &got) || got != 48 || handshake.Cause(p.ClientErr) != "the peer says unknown_ca" {
				t.Errorf("%v", p.ClientErr)
			}
			if p.ClientAt != c.at+time.Second && p.ClientAt > 1300*time.Millisecond {
				t.Errorf("took %v", p.ClientAt)
			}
			p.Wait()
		})
	}
}
