package enginetest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
)

// Suite runs all tests of two engines with each other. synctest ends each only when no goroutine is left.
func Suite(t *testing.T, server, client handshake.Engine) {
	for name, test := range map[string]func(*testing.T, handshake.Engine, handshake.Engine){
		"Agree": testAgree, "Loss": testLoss, "LateFlight": testLateFlight, "Order": testOrder,
		"MTU": testMTU, "ClientCertificates": testClientCertificates, "Pin": testPin, "Reload": testReload,
		"Refusals": testRefusals, "Configs": testConfigs, "Spoofed": testSpoofed, "TimeLimit": testTimeLimit,
		"KeyLog": testKeyLog, "Mangled": testMangled,
		"Tampered": testTampered, "Fragments": testFragments, "FragmentsTogether": testFragmentsTogether,
		"Alerts": testAlerts,
	} {
		t.Run(name, func(t *testing.T) { test(t, server, client) })
	}
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// Both ends get the same secrets, whatever kind of key the server has; two round trips for the cookie and the
// keys, and one more for nobody: exactly.
func testAgree(t *testing.T, se, ce handshake.Engine) {
	for _, isRSA := range []bool{false, true} {
		sc, cc := Configs(t, isRSA)
		bubble(t, fmt.Sprintf("RSA %v", isRSA), func(t *testing.T) {
			p := Run(t, &Link{Latency: 50 * time.Millisecond}, se, ce, sc, cc)
			p.Check(t)
			if got := p.ServerRes.Secrets.Suite.RSA(); got != isRSA {
				t.Errorf("suite %v", p.ServerRes.Secrets.Suite)
			}
			if p.ServerAt != 250*time.Millisecond || p.ClientAt != 300*time.Millisecond {
				t.Errorf("server done after %v, client after %v", p.ServerAt, p.ClientAt)
			}
			if len(p.ServerRes.Peer) != 0 || !bytes.Equal(p.ClientRes.Peer[0], sc.Certificate().Certificate[0]) {
				t.Error("peer certificates")
			}
			if p.ServerRes.Next != 1 || p.ClientRes.Next != 1 {
				t.Errorf("next record numbers %d and %d", p.ServerRes.Next, p.ClientRes.Next)
			}
			if len(p.ServerRes.Secrets.Spent) != 1 || len(p.ClientRes.Secrets.Spent) != 1 {
				t.Error("one Finished each spends one nonce")
			}
		})
	}
}

// drop returns a Tap that loses the n-th datagram of one direction, if it belongs to the handshake.
func drop(fromClient bool, n int) func(bool, int, []byte) [][]byte {
	return func(dir bool, i int, b []byte) [][]byte {
		if dir == fromClient && i == n && record.ContentType(b[0]) != record.ApplicationData {
			return nil
		}
		return [][]byte{b}
	}
}

// Each datagram of the handshake is lost once; the handshake recovers, at the cost of one retransmission.
func testLoss(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	sc.MTU, cc.MTU = 400, 400 // several datagrams a flight
	const latency = 20 * time.Millisecond
	for _, fromClient := range []bool{true, false} {
		for n := range 6 {
			bubble(t, fmt.Sprintf("from client %v %d", fromClient, n), func(t *testing.T) {
				p := Run(t, &Link{Latency: latency, Tap: drop(fromClient, n)}, se, ce, sc, cc)
				p.Check(t)
				if p.ClientAt > 6*latency+3*200*time.Millisecond {
					t.Errorf("took %v", p.ClientAt)
				}
			})
		}
	}
}

// "A lost final flight answered": the engine is gone, the record layer sends its Finished again, each time under
// fresh numbers, and the client completes.
func testLateFlight(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	for lost := range 4 {
		bubble(t, fmt.Sprintf("%d lost", lost), func(t *testing.T) {
			seen, left := map[string]bool{}, lost
			l := &Link{Latency: 10 * time.Millisecond}
			l.Tap = func(fromClient bool, _ int, b []byte) [][]byte {
				if fromClient || !isLastFlight(b) {
					return [][]byte{b}
				}
				ccs, fin, _ := record.Next(b)
				for _, id := range []string{string(ccs[3:11]), string(fin[3:11]), "nonce" + string(fin[13:21])} {
					if seen[id] {
						t.Errorf("record number or nonce sent twice: %x", id)
					}
					seen[id] = true
				}
				if left--; left >= 0 {
					return nil
				}
				return [][]byte{b}
			}
			p := Run(t, l, se, ce, sc, cc)
			p.Check(t)
			if p.Server.Resent() != lost {
				t.Errorf("flight sent again %d times, want %d", p.Server.Resent(), lost)
			}
		})
	}
}

// isLastFlight tells whether a datagram begins with a ChangeCipherSpec.
func isLastFlight(b []byte) bool { return record.ContentType(b[0]) == record.ChangeCipherSpec }

// The records of each last flight travel one by one, in every order: no retransmission is needed.
func testOrder(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	for i, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		bubble(t, fmt.Sprint(i), func(t *testing.T) {
			l := &Link{Latency: 10 * time.Millisecond}
			l.Tap = func(_ bool, _ int, b []byte) [][]byte {
				var recs, out [][]byte
				for rest := b; len(rest) > 0; {
					rec, more, _ := record.Next(rest)
					recs, rest = append(recs, rec), more
				}
				if h, _ := record.ParseHeader(recs[len(recs)-1]); h.Epoch == 0 || len(recs) > len(order) {
					return [][]byte{b}
				}
				for _, j := range order {
					if j < len(recs) {
						out = append(out, slices.Clone(recs[j]))
					}
				}
				return out
			}
			p := Run(t, l, se, ce, sc, cc)
			p.Check(t)
			if p.ClientAt > 61*time.Millisecond {
				t.Errorf("took %v: something was retransmitted", p.ClientAt)
			}
		})
	}
}

// "MTU (largest UDP payload)": no datagram is larger.
func testMTU(t *testing.T, se, ce handshake.Engine) {
	for _, mtu := range []int{256, 512, 1200} {
		sc, cc := Configs(t, true)
		sc.MTU, cc.MTU = mtu, mtu
		bubble(t, fmt.Sprint(mtu), func(t *testing.T) {
			largest := 0
			l := &Link{Tap: func(_ bool, _ int, b []byte) [][]byte {
				largest = max(largest, len(b))
				return [][]byte{b}
			}}
			Run(t, l, se, ce, sc, cc).Check(t)
			if largest > mtu || largest < mtu/2 {
				t.Errorf("largest datagram has %d bytes", largest)
			}
		})
	}
}

// "Server: asked for at each handshake (reload)": a change holds from the next one on, also of the kind of key.
func testReload(t *testing.T, se, ce handshake.Engine) {
	ec, _, rsaKey, _, _ := Keys(t)
	ca := NewAuthority("authority", true)
	current := ca.Issue(ServerName, ec)
	sc := &handshake.Config{Certificate: func() *tls.Certificate { return current }}
	cc := &handshake.Config{RootCAs: ca.Pool, ServerName: "127.0.0.1"}
	for _, next := range []*tls.Certificate{ca.Issue(ServerName, ec), ca.Issue(ServerName, rsaKey), ca.Issue(ServerName, ec)} {
		current = next
		bubble(t, "", func(t *testing.T) {
			p := Run(t, &Link{}, se, ce, sc, cc)
			p.Check(t)
			if !bytes.Equal(p.ClientRes.Peer[0], next.Certificate[0]) {
				t.Error("an old certificate")
			}
		})
	}
}

func testKeyLog(t *testing.T, se, ce handshake.Engine) {
	sc, cc := Configs(t, false)
	var s, c strings.Builder
	sc.KeyLog, cc.KeyLog = &s, &c
	bubble(t, "", func(t *testing.T) {
		p := Run(t, &Link{}, se, ce, sc, cc)
		p.Check(t)
		want := fmt.Sprintf("CLIENT_RANDOM %x %x\n", p.ClientRes.Secrets.ClientRandom, p.ClientRes.Secrets.Master)
		if s.String() != want || c.String() != want {
			t.Errorf("key logs are not %q", want[:20])
		}
	})
}
