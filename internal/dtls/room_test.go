package dtls

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/udp"
	"github.com/sallyport/sallyport/policy"
)

// "The resources of handshakes are bounded (section 12), for the whole server and however many sockets it has":
// whoever holds all places on one shard, from addresses of its own, does not keep out who comes to another, such as
// the carrier's. A place that has been made for a newcomer there waits until it asks again, and no longer than that.
func TestRoomOnAnotherShard(t *testing.T) {
	const most = 64
	sources, err := policy.SourceConfig{}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	shards := [2]*Shard{}
	var e *Endpoint
	for i := range shards {
		sock, err := udp.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			e = New(sock, Config{Now: time.Now, Wall: time.Now, Shards: 1, NewUser: func(*Shard) User { return nil }, MaxHandshakes: most, Live: 8, Sources: sources})
			shards[i] = e.First()
		} else {
			shards[i] = e.NewShard(sock, i)
		}
		defer shards[i].Close() //nolint:errcheck // it has served
	}
	busy, quiet := shards[0], shards[1]
	e.Use(busy, quiet)
	begun, now := 0, time.Now()
	attack := func() {
		begun++
		a := netip.AddrFrom4([4]byte{100, 0, byte(begun % 16), byte(begun / 16)})
		busy.Handshakes.Offer(now, udp.Flow{AddrPort: netip.AddrPortFrom(a, 1000), Local: addrtable.Carried})
	}
	for range most {
		attack()
	}
	step := func(d time.Duration, attacks int) {
		for range d / (10 * time.Millisecond) {
			now = now.Add(10 * time.Millisecond)
			for _, s := range shards {
				s.Delivered(now)
				if now.Sub(s.sweeping.proofsAt) >= SweepInterval {
					s.sweeping.proofsAt = now
					s.Handshakes.sweep(now)
				}
			}
			for range attacks {
				attack()
			}
			if n := e.admission.underway.Load(); n > most {
				t.Fatalf("%d handshakes of %d", n, most)
			}
		}
	}
	const newcomers = 6
	for i := range newcomers {
		at := udp.Flow{AddrPort: fromSite(200+i, 1), Local: addrtable.Carried}
		tries := 1
		for quiet.Handshakes.Offer(now, at) == nil && tries < 10 {
			step(time.Second, 3)
			tries++
		}
		if tries > 2 {
			t.Errorf("newcomer %d is in after %d ClientHellos", i, tries)
		}
	}
	if n := len(quiet.Handshakes.Open); n != newcomers {
		t.Errorf("%d of %d newcomers have their places: others were let go for them", n, newcomers)
	}
	quiet.Handshakes.Offer(now, udp.Flow{AddrPort: fromSite(250, 1), Local: addrtable.Carried}) // and does not ask again
	step(5*time.Second, 0)
	for range most {
		attack()
	}
	if n := e.Underway(); n != most || len(busy.Handshakes.Open)+len(quiet.Handshakes.Open) != most {
		t.Errorf("%d places are used, of which %d and %d are held", n, len(busy.Handshakes.Open), len(quiet.Handshakes.Open))
	}
}
