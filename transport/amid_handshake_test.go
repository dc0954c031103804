package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/netsim"
)

// "Each end MUST drop a record of DTLS epoch 0 whose number is not the handshake's" PROTOCOL.md 9.1: a newcomer gets in
// within two seconds whatever is forged meanwhile in the name of its address and port, and of the server's, at every
// rate. Forged are the datagrams of another handshake, each with a random of its own where it is a ClientHello.
func TestForgeriesAmidHandshake(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(toServer, toClient tape) (from, to netip.AddrPort, forged tape){
		"ClientHellos": func(toServer, _ tape) (from, to netip.AddrPort, forged tape) {
			return playerAddr(1), serverAddr, toServer[:1]
		},
		"a client's datagrams": func(toServer, _ tape) (from, to netip.AddrPort, forged tape) {
			return playerAddr(1), serverAddr, toServer
		},
		"all but its ClientHello": func(toServer, _ tape) (from, to netip.AddrPort, forged tape) {
			return playerAddr(1), serverAddr, toServer[1:]
		},
		"a server's datagrams": func(_, toClient tape) (from, to netip.AddrPort, forged tape) {
			return serverAddr, playerAddr(1), toClient
		},
	} {
		for _, perSecond := range []int{3, 30, 300, 3000} {
			if testing.Short() && perSecond > 300 {
				continue
			}
			t.Run(fmt.Sprintf("%d a second of %s", perSecond, name), func(t *testing.T) {
				t.Parallel()
				virtual(t, func(w *world) {
					w.net.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond})
					w.serve()
					toServer, toClient := w.tap(250)
					w.dial(250).Close()
					synctest.Wait()
					w.net.Tap(nil)
					from, to, forged := forge(*toServer, *toClient)
					defer w.often(perSecond, func(i int) {
						b := forged[i%len(forged)]
						if handshake.IsFirstHello(b) {
							b = anotherHello(b, i)
						}
						w.net.Inject(from, to, b)
					})()
					time.Sleep(3 * time.Second)
					began := time.Now()
					w.join(1)
					if d := time.Since(began); d > 2*time.Second {
						w.Errorf("in after %v; %+v", d, w.server.Stats().Handshakes)
					}
				})
			})
		}
	}
}

// "Until then one whose cookie has not come back MUST NOT give way to one whose sender has proven nothing" PROTOCOL.md
// 9.6: its sender is asked for a proof, with which it takes the place at once.
func TestFirstHandshakeStays(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		hello := w.firstHello()
		from := stranger(1)
		w.net.Inject(from, serverAddr, hello)
		synctest.Wait()
		first := w.underway(from)
		second := anotherHello(hello, 1)
		offer := func(b []byte) (answer tape, is *dtls.HalfOpen) {
			got := w.collect(from)
			w.net.Inject(from, serverAddr, b)
			synctest.Wait()
			return *got, w.underway(from)
		}
		for range 20 {
			answer, is := offer(second)
			if len(answer) != 1 || len(answer[0]) >= len(second) || is != first || first == nil {
				t.Fatalf("answered by %x", answer)
			}
			if random := handshake.Random(second); !retry.IsRetry(answer[0]) || [32]byte(answer[0][retry.RetryLen-32:]) != random {
				t.Fatalf("answered by %x", answer[0])
			}
		}
		if _, is := offer(w.server.endpoint.Returned(w.server.clock.now(), from, second)); is == first {
			t.Error("a token is worth nothing")
		}
		from = stranger(2)
		if _, first = offer(hello); first == nil {
			t.Fatal("no handshake")
		}
		time.Sleep(dtls.HalfOpenSilence)
		if _, is := offer(second); is == first || is == nil {
			t.Error("one that is silent stays")
		}
	})
}

// epochOne are records of epoch 1 as anybody can write them.
func epochOne() (records tape) {
	for typ, length := range map[record.ContentType]int{record.Handshake: 24, record.Alert: 2, record.ApplicationData: 60} {
		records = append(records, rec(typ, 1, 0, make([]byte, record.Overhead-record.HeaderLen+length)...))
	}
	return records
}

// "an end MUST NOT take one for a sign that the other goes on with the handshake" PROTOCOL.md 9.1: a client begins anew
// where its server has given the handshake up, whatever is forged meanwhile in the server's name.
func TestForgedSignsOfLife(t *testing.T) {
	t.Parallel()
	for _, forged := range epochOne() {
		for _, perSecond := range []int{1, 30} {
			virtual(t, func(w *world) {
				w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
				w.serve()
				var back time.Time
				w.net.Tap(func(_, to netip.AddrPort, b []byte) bool {
					if to == serverAddr && back.IsZero() && b[record.HeaderLen] == 16 { // ClientKeyExchange: the client has keys
						back = time.Now().Add(defaultHandshakeTimeout + time.Second/2)
					}
					return to != serverAddr || !time.Now().Before(back)
				})
				defer w.often(perSecond, func(int) { w.net.Inject(serverAddr, playerAddr(1), forged) })()
				began := time.Now()
				w.join(1)
				if d := time.Since(began); back.IsZero() || d > defaultHandshakeTimeout+2*attemptTime {
					w.Errorf("%d a second of type %d: in after %v", perSecond, forged[0], d)
				}
			})
		}
	}
}

// The same of an address that nobody answers at: the client goes on to the next one.
func TestForgedSignsOfLifeElsewhere(t *testing.T) {
	t.Parallel()
	for _, forged := range epochOne() {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
			w.serve()
			defer w.often(30, func(int) { w.net.Inject(nowhere[0], playerAddr(1), forged) })()
			began := time.Now()
			_, err := w.dialAny(1, 10*time.Second, nowhere[0], serverAddr)
			if d := time.Since(began); err != nil || d > 2*addressPause {
				w.Errorf("type %d: in after %v, %v", forged[0], d, err)
			}
		})
	}
}

// "If the server's last flight is lost, it answers the client's authenticated Finished again." PROTOCOL.md 9.1: whoever
// begins a handshake in the client's name meanwhile.
func TestFinishedAgainAmidForgeries(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		w.serve()
		hello := w.firstHello()
		lost := 0
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
			if from != serverAddr || record.ContentType(b[0]) != record.ChangeCipherSpec || lost == 3 {
				return true
			}
			lost++
			return false
		})
		defer w.often(30, func(i int) { w.net.Inject(playerAddr(1), serverAddr, anotherHello(hello, i)) })()
		before := w.server.Stats().Handshakes.Completed
		w.join(1)
		if n := w.server.Stats().Handshakes.Completed - before; lost < 3 || n != 1 {
			w.Errorf("%d flights are lost, and %d handshakes complete", lost, n)
		}
	})
}

// "something has changed on its way: a client SHOULD begin anew then, a few times" PROTOCOL.md 9.6: in whatever datagram
// of the handshake.
func TestChangedOnTheWay(t *testing.T) {
	t.Parallel()
	for nth := range 4 {
		virtual(t, func(w *world) {
			w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
			w.serve()
			seen := 0
			w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
				if !dtls.IsHandshake(b) {
					return true
				}
				if seen++; seen != nth+3 { // after the ClientHello, HelloVerifyRequest and the next
					return true
				}
				changed := slices.Clone(b)
				changed[record.HeaderLen+16] ^= 0x10 // of ServerHello the random, of ClientKeyExchange the key
				go w.net.Inject(from, to, changed)
				return false
			})
			began := time.Now()
			c, err := w.try(1)
			if err != nil {
				t.Fatalf("datagram %d: %v", nth+3, err)
			}
			if d := time.Since(began); seen < nth+3 || d > 3*attemptTime {
				t.Errorf("datagram %d of %d: in after %v", nth+3, seen, d)
			}
			w.echo(c, "after all")
		})
	}
}
