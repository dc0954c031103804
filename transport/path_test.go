package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// rebind moves a client to another address, as a NAT or a change of network does.
func (w *world) rebind(c *Client, to netip.AddrPort) {
	w.Helper()
	if err := c.config.Conn.(*netsim.Conn).Rebind(to); err != nil {
		w.Fatal(err)
	}
}

func (s *sink) count(d audit.Decision) (n int) {
	for _, e := range s.all() {
		if e.Decision == d {
			n++
		}
	}
	return n
}

// neighbour is another port of player n's host.
func neighbour(n int) netip.AddrPort { return netip.AddrPortFrom(playerAddr(n).Addr(), 2000) }

// "keeps sending to the old one until it is answered, then moves": a player whose
// port changes in the middle of the match loses what was on its way, and one
// answer at most beyond that.
func TestMigration(t *testing.T) {
	t.Parallel()
	const latency = 20 * time.Millisecond
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: latency})
		w.serve()
		c := w.dial(1, quietClient)
		p := w.match.player(0)
		for i := range 60 {
			if i == 30 {
				w.rebind(c, neighbour(1))
			}
			if err := c.Send(fmt.Append(nil, "input ", i)); err != nil {
				w.Fatal(err)
			}
			time.Sleep(time.Second / 60)
		}
		time.Sleep(time.Second)
		for i := range 60 {
			if w.match.count(fmt.Sprint("input ", i)) != 1 {
				w.Errorf("input %d came %d times", i, w.match.count(fmt.Sprint("input ", i)))
			}
		}
		if p.Addr() != neighbour(1) {
			w.Errorf("the player is at %v", p.Addr())
		}
		// What the server sent to the old address until it knew: a round trip's worth.
		onTheWay := uint64(3*latency/(time.Second/60) + 1)
		if lost := c.Stats().Sent - c.Stats().Received; lost > onTheWay+1 {
			w.Errorf("%d answers are lost, %d were on their way", lost, onTheWay)
		}
		if n := w.audit.count(audit.Migrate); n != 1 {
			w.Errorf("%d migrations are on record", n)
		}
		w.rebind(c, playerAddr(1))
		w.echoes(c, "and back")
		if n := w.audit.count(audit.StepUp); n != 0 {
			w.Errorf("%d step ups within one network", n)
		}
		w.quiet()
	})
}

// echoes sends until something comes back, for after a change of address.
func (w *world) echoes(c *Client, text string) {
	w.Helper()
	before := c.Stats().Received
	for range 20 {
		if err := c.Send([]byte(text)); err != nil {
			w.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if c.Stats().Received < before+15 {
		w.Errorf("%d of 20 answers to %q", c.Stats().Received-before, text)
	}
}

// "The network part is judged again": another network asks for a fresh token,
// which the client brings by itself, or the session ends.
func TestMigrationToAnotherNetwork(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.serve()
		g := grantFor(1)
		noticed := 0
		c := w.dial(1, quietClient, func(config *ClientConfig) {
			config.Token = w.tokens(g)
			config.OnEvent = func(e ClientEvent) {
				if e.Kind == EventNotice && e.Notice == wire.NoticeStepUp {
					noticed++
				}
			}
		})
		w.rebind(c, elsewhere)
		for range 30 {
			w.echoes(c, "on the move")
		}
		if noticed == 0 || w.audit.count(audit.StepUp) != 1 || w.audit.count(audit.Renew) != 1 {
			w.Errorf("%d notices, on record %d step ups and %d renewals", noticed, w.audit.count(audit.StepUp), w.audit.count(audit.Renew))
		}
		if p := w.match.player(0).Addr(); p != elsewhere {
			w.Errorf("the player is at %v", p)
		}
	})
}

// Who has only stolen the connection has no fresh token, and is out in time.
func TestMigrationWithoutToken(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1, quietClient, func(config *ClientConfig) { config.Token = w.once(grantFor(1)) })
		w.rebind(c, elsewhere)
		for range 150 {
			if c.Send([]byte("stolen")) != nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		w.closed(w.ending(c), wire.ReasonFingerprint)
	})
}

// listener hears what is sent to an address.
func (w *world) listener(addr netip.AddrPort) *int {
	bytes := new(int)
	w.net.Tap(func(_, to netip.AddrPort, b []byte) bool {
		if to == addr {
			*bytes += len(b)
		}
		return true
	})
	return bytes
}

// A copy from elsewhere: whether it comes before the original or after it, its
// sender gets no more bytes than it sent, and in a second at most three challenges that it
// cannot answer; the owner loses no more than the datagrams that were overtaken.
func TestSpoofedMigration(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.match.mute = true
		w.serve()
		c := w.dial(1, quietClient)
		sent, heard, challenges := 0, 0, 0
		w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
			if to == thief {
				heard += len(b)
				challenges++
			}
			if from == playerAddr(1) && b[0] == byte(record.ApplicationData) {
				sent += len(b)
				w.net.Inject(thief, serverAddr, slices.Clone(b)) // arrives first
			}
			return true
		})
		for i := range 100 {
			if err := c.Send(fmt.Append(nil, "a longer input, number ", i)); err != nil {
				w.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if heard > sent || challenges == 0 || challenges > dtls.MaxChallenges {
			w.Errorf("the thief sent %d bytes and heard %d in %d datagrams", sent, heard, challenges)
		}
		for i := range 100 {
			if n := w.match.count(fmt.Sprint("a longer input, number ", i)); n != 1 {
				w.Errorf("input %d was delivered %d times", i, n)
			}
		}
		w.net.Tap(nil)
		if p := w.match.player(0); p.Addr() != playerAddr(1) || w.audit.count(audit.Migrate) != 0 {
			w.Errorf("the player was moved to %v", p.Addr())
		}
	})
}

// "It MUST NOT send more bytes there than have come from there" PROTOCOL.md 9.4: where copies are
// shorter than a challenge the first one does not earn it.
func TestChallengeIsEarned(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.match.mute = true
		w.serve()
		c := w.dial(1, quietClient)
		sent, heard := 0, 0
		w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
			switch {
			case to == thief:
				if heard += len(b); heard > sent {
					w.Errorf("%d bytes answer %d", heard, sent)
				}
			case from == playerAddr(1) && b[0] == byte(record.ApplicationData):
				sent += len(b)
				w.net.Inject(thief, serverAddr, slices.Clone(b)) // arrives first
			}
			return true
		})
		for range 10 {
			if err := c.Send([]byte{1}); err != nil {
				w.Fatal(err)
			}
			time.Sleep(dtls.ChallengeInterval + time.Millisecond)
		}
		if w.net.Tap(nil); heard == 0 {
			w.Error("no challenge at all")
		}
	})
}

// "3 times 200 ms apart or more, and then 1 s apart or more, so that a path that loses much is followed, too" PROTOCOL.md 9.4:
// the connection moves, without a resumption, although the first challenges are lost.
func TestChallengesAreLost(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.match.mute = true
		w.serve()
		c := w.dial(1, quietClient)
		var at []time.Duration
		start := time.Now()
		w.net.Tap(func(_, to netip.AddrPort, _ []byte) bool {
			if to != neighbour(1) {
				return true
			}
			at = append(at, time.Since(start).Round(100*time.Millisecond))
			return len(at) > 5
		})
		w.rebind(c, neighbour(1))
		for range 350 {
			if err := c.Send([]byte("from a new port")); err != nil {
				w.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		ms := time.Millisecond
		if want := []time.Duration{0, 200 * ms, 400 * ms, 1400 * ms, 2400 * ms, 3400 * ms}; len(at) < len(want) || !slices.Equal(at[:len(want)], want) {
			w.Errorf("challenges at %v, want %v", at, want)
		}
		synctest.Wait()
		if st := c.Stats(); w.match.player(0).Addr() != neighbour(1) || st.Moved != 1 || st.Resumed != 0 {
			w.Errorf("the player is at %v; %+v", w.match.player(0).Addr(), st)
		}
	})
}

// "until the PONG comes from the candidate" PROTOCOL.md 9.4: a challenge that somebody
// passes on to the player is answered from where the player is, and nobody moves.
func TestChallengeAnsweredElsewhere(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.match.mute = true
		w.serve()
		c := w.dial(1, quietClient)
		copied, passed, answers := false, 0, 0
		w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
			switch {
			case to == thief:
				passed++
				w.net.Inject(serverAddr, playerAddr(1), slices.Clone(b))
			case from != playerAddr(1):
			case copied:
				answers++
			default:
				copied = true
				w.net.Inject(thief, serverAddr, slices.Clone(b)) // arrives first
			}
			return true
		})
		if err := c.Send([]byte("an input that is long enough to earn a challenge")); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		w.net.Tap(nil)
		if p := w.match.player(0); passed == 0 || answers == 0 || p.Addr() != playerAddr(1) || w.audits(audit.Migrate) != 0 {
			w.Errorf("%d challenges passed on, %d answers; the player is at %v", passed, answers, p.Addr())
		}
	})
}

// "Everything else goes to the former address until the PONG comes from the candidate." PROTOCOL.md 9.4: a PONG that
// comes by the former path does not use up the challenge, and the next one moves the connection.
func TestChallengeAnsweredTwice(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 10 * time.Millisecond})
		w.serve()
		c := w.dial(1, quietClient)
		w.echo(c, "at home")
		challenged, astray := false, false
		w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
			if from == neighbour(1) && challenged && !astray {
				astray = true
				w.net.Inject(playerAddr(1), serverAddr, slices.Clone(b))
				return false
			}
			challenged = challenged || to == neighbour(1)
			return true
		})
		w.rebind(c, neighbour(1))
		if err := c.Send([]byte("an input that is long enough to earn a challenge")); err != nil {
			w.Fatal(err)
		}
		time.Sleep(dtls.ChallengeInterval)
		w.echoes(c, "after the next challenge")
		w.net.Tap(nil)
		if p := w.match.player(0); !astray || p.Addr() != neighbour(1) || c.Stats().Resumed != 0 {
			w.Errorf("answered by the former path: %v; the player is at %v, and has resumed %d times", astray, p.Addr(), c.Stats().Resumed)
		}
	})
}

// A connection id is no key: guessed, copied or worn by somebody else's record, it changes
// nothing, and nobody hears anything.
func TestConnectionIDsOfOthers(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1, quietClient)
		toServer, _ := w.tap(1)
		w.echo(c, "genuine")
		genuine := (*toServer)[len(*toServer)-1]
		heard := w.listener(thief)
		id, ok := dtls.IDOf(genuine)
		if a := w.server.first().Table.Find(id); !ok || a == nil || connOf(a).player != w.match.player(0) {
			w.Fatalf("connection id %08x finds nobody", id)
		}
		before := w.server.Stats()
		w.net.Inject(thief, serverAddr, genuine) // a copy
		for seq := range uint64(200) {
			forged := slices.Clone(genuine)
			forged[10], forged[record.Prefix-1] = byte(seq), byte(seq) // record number, as the nonce has it
			w.net.Inject(thief, serverAddr, forged)
			guessed := slices.Clone(genuine)
			guessed[record.HeaderLen] ^= byte(1 + seq)
			w.net.Inject(thief, serverAddr, guessed)
		}
		synctest.Wait()
		after := w.server.Stats()
		if _, roaming := w.server.first().Table.Find(id).Traces(); *heard != 0 || roaming {
			w.Errorf("the thief heard %d bytes", *heard)
		}
		if n := after.Drops["record"] - before.Drops["record"]; n != 201 || after.Drops["source"]-before.Drops["source"] != 200 {
			w.Errorf("%v, then %v", before.Drops, after.Drops)
		}
		w.echo(c, "unaffected")
		w.quiet()
	})
}

// An old datagram that comes late from elsewhere is delivered, and moves nobody.
func TestLateFromElsewhere(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		c := w.dial(1, quietClient)
		var held []byte
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool {
			if from == playerAddr(1) && held == nil {
				held = slices.Clone(b)
				return false
			}
			return true
		})
		if err := c.Send([]byte("late")); err != nil {
			w.Fatal(err)
		}
		w.echo(c, "newer")
		heard := w.listener(thief)
		w.net.Inject(thief, serverAddr, held)
		synctest.Wait()
		if w.match.count("late") != 1 || *heard != 0 || w.match.player(0).Addr() != playerAddr(1) {
			w.Errorf("late came %d times, elsewhere heard %d bytes", w.match.count("late"), *heard)
		}
	})
}

// Nobody is moved onto an address where somebody is.
func TestMigrationOntoAnother(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.serve()
		a, b := w.dial(1, quietClient), w.dial(2, quietClient)
		w.rebind(a, neighbour(1))
		if err := a.Send([]byte("moving")); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		w.rebind(a, playerAddr(3))
		w.echo(b, "b")
		w.rebind(b, neighbour(2))
		w.rebind(a, playerAddr(2)) // where b was, and still is for all that the server knows
		w.echoes(b, "b goes on")
		w.echoes(a, "a goes on")
		if len(w.match.left()) != 0 {
			w.Errorf("players left: %v", w.match.left())
		}
	})
}
