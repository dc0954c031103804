package dtls

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/internal/udp"
)

// from is an address of a site.
func fromSite(site, host int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, 0, byte(site), byte(host)}), 5000)
}

// proven is a handshake whose cookie has come back.
func proven(t *testing.T) *handshake.Conn {
	t.Helper()
	message := func(typ, seq byte, body ...byte) []byte {
		n := byte(len(body))
		return append([]byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, seq, 0, 12 + n, typ, 0, 0, n, 0, seq, 0, 0, 0, 0, 0, n}, body...)
	}
	hello := func(seq byte, cookie ...byte) []byte {
		body := append([]byte{0xfe, 0xfd}, make([]byte, 32+1)...)
		body = append(append(body, byte(len(cookie))), cookie...)
		return message(1, seq, append(body, 0, 2, 0xc0, 0x2b, 1, 0, 0, 0)...)
	}
	c := handshake.NewConn(true, nil, nil, func([]byte) {})
	c.Deliver(hello(0))
	if _, _, err := c.Accept(t.Context(), []record.Suite{record.ECDSAWithAES128}); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(message(3, 0, 0xfe, 0xfd, 1, 'c'))
	if c.Deliver(hello(1, 'c')); !c.Proven() {
		t.Fatal("its cookie has not come back")
	}
	return c
}

// slowDispensable says of each handshake whether it is the one to go, by the words of the document.
func slowDispensable(now time.Time, all []*HalfOpen, live, proven bool) map[*HalfOpen]bool {
	var unproven, silent []*HalfOpen
	sites := map[netip.Prefix]int{}
	for _, o := range all {
		switch {
		case o.as == returned && !o.conn.Proven() && !proven: // "nor one that was begun with a token until its cookie has come back"
		case o.proven() && !proven && now.Sub(o.heard) < HalfOpenSilence: // "before nothing has arrived for it for 1.5 s"
		case o.as == stranger && !o.conn.Proven() && !proven && now.Sub(o.began) < StrangerTime: // "before it has had 1 s"
		case o.proven() && (o.as != own || now.Sub(o.heard) >= HalfOpenSilence):
			silent = append(silent, o)
			sites[sources.SitePrefix(o.addr.Addr())]++
		case !o.proven() && o.as != own:
			unproven = append(unproven, o)
		}
	}
	candidates := unproven
	if len(candidates) == 0 {
		most := 0
		for _, n := range sites {
			most = max(most, n)
		}
		for _, o := range silent {
			if sites[sources.SitePrefix(o.addr.Addr())] == most {
				candidates = append(candidates, o)
			}
		}
	}
	if len(candidates) == 0 && live {
		for _, o := range all {
			if now.Sub(o.heard) >= HalfOpenSilence && (proven || o.as != returned || o.conn.Proven()) {
				candidates = append(candidates, o)
			}
		}
	}
	oldest := map[*HalfOpen]bool{}
	for _, o := range candidates {
		first := true
		for _, other := range candidates {
			first = first && !other.heard.Before(o.heard)
		}
		oldest[o] = first
	}
	return oldest
}

// Of any handshakes, the one goes that the document names.
func TestWhoGivesWay(t *testing.T) {
	{
		for seed := range uint64(500) {
			r := rand.New(rand.NewPCG(seed, 1))
			h := newHandshakes(nil)
			now := time.Now()
			var all []*HalfOpen
			for i := range 1 + r.IntN(20) {
				o := &HalfOpen{addr: udp.Flow{AddrPort: fromSite(r.IntN(4), 1+i)}, as: standing(r.IntN(3)), began: now.Add(time.Duration(i-20) * 100 * time.Millisecond)}
				o.heard = o.began
				o.conn = handshake.NewConn(true, nil, nil, func([]byte) {})
				if seed%2 == 0 || r.IntN(2) == 0 {
					o.conn = proven(t)
				}
				all = append(all, o)
				h.Open[o.addr] = o
				if o.as == stranger {
					h.arrivals = append(h.arrivals, o)
				}
			}
			for _, by := range []newcomer{{false, false}, {true, false}, {false, true}, {true, true}} {
				want := slowDispensable(now, all, by.own, by.proven)
				got := h.dispensable(now, by)
				if got == nil != (len(want) == 0) || got != nil && !want[got] {
					t.Fatalf("seed %d, for %+v: %+v goes, want one of %d", seed, by, got, len(want))
				}
			}
		}
	}
}
