package retry

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

var (
	epoch  = time.Unix(1_800_000_000, 0)
	player = netip.MustParseAddrPort("192.0.2.7:5000")
	random = [RandomLen]byte{31: 1}
)

// A token is worth nothing changed in any bit, at another address or port, with another ClientHello,
// and once its life is over.
func TestTokenIsOfOneSender(t *testing.T) {
	m := NewMinter(new(Keys))
	token := m.Mint(epoch, player, &random)
	check := func(now time.Time, addr netip.AddrPort, random [RandomLen]byte, token Token) bool {
		return m.Check(now, addr, &random, &token)
	}
	if !check(epoch, player, random, token) {
		t.Fatal("it is worth nothing to its own sender")
	}
	for i := range 8 * len(token) {
		changed := token
		changed[i/8] ^= 1 << (i % 8)
		if check(epoch, player, random, changed) {
			t.Errorf("bit %d makes no difference", i)
		}
	}
	for i := range 8 * len(random) {
		other := random
		other[i/8] ^= 1 << (i % 8)
		if check(epoch, player, other, token) {
			t.Errorf("bit %d of the random makes no difference", i)
		}
	}
	for _, other := range []string{"192.0.2.8:5000", "192.0.2.7:5001", "[2001:db8::1]:5000", "[::]:5000"} {
		if check(epoch, netip.MustParseAddrPort(other), random, token) {
			t.Errorf("it is worth something at %v", other)
		}
	}
	if !check(epoch, netip.AddrPortFrom(netip.AddrFrom16(player.Addr().As16()), player.Port()), random, token) {
		t.Error("an IPv4 address in IPv6 form is another address")
	}
	for age, want := range map[time.Duration]bool{
		-2 * time.Second: false, -time.Second: true, Life - time.Second: true, Life: false, time.Hour: false, -time.Hour: false,
	} {
		if got := check(epoch.Add(age), player, random, token); got != want {
			t.Errorf("after %v: %v", age, got)
		}
	}
	if other := NewMinter(new(Keys)); other.Check(epoch, player, &random, &token) {
		t.Error("another process takes it")
	}
}

// Whenever it is made, a token is good all its life, though keys change meanwhile, and for every
// shard. No more than two keys are kept.
func TestKeysRotate(t *testing.T) {
	var keys Keys
	shards := [...]*Minter{NewMinter(&keys), NewMinter(&keys)}
	r := rand.New(rand.NewPCG(1, 1))
	now, rotated := epoch, 0
	var last [32]byte
	for range 5000 {
		now = now.Add(time.Duration(r.IntN(2000)) * time.Millisecond)
		token := shards[r.IntN(2)].Mint(now, player, &random)
		later := now.Add(time.Duration(r.Int64N(int64(Life - time.Second))))
		if r.IntN(3) == 0 {
			keys.Age(later)
		}
		if !shards[r.IntN(2)].Check(later, player, &random, &token) {
			t.Fatalf("a token of %v is worth nothing at %v", now.Unix(), later.Unix())
		}
		if pair := keys.pair.Load(); pair[0].secret != last {
			rotated++
			last = pair[0].secret
			if pair[0].secret == pair[1].secret {
				t.Fatal("the new key is the old one")
			}
		}
	}
	if elapsed := now.Sub(epoch).Seconds(); float64(rotated) < elapsed/period/2 {
		t.Errorf("%d keys in %.f s", rotated, elapsed)
	}
}

// A shard whose clock was read a moment before another one has made the first key of a period mints
// tokens that are good.
func TestMintBehindAnotherShard(t *testing.T) {
	var keys Keys
	ahead, behind := NewMinter(&keys), NewMinter(&keys)
	begins := time.Unix(epoch.Unix()/period*period, 0)
	ahead.Mint(begins, player, &random)
	token := behind.Mint(begins.Add(-time.Millisecond), player, &random)
	if !behind.Check(begins, player, &random, &token) {
		t.Error("it is worth nothing")
	}
}

// What is written is read, and nothing else is: every message that is cut, or has another type or
// version.
func TestMessages(t *testing.T) {
	token := NewMinter(new(Keys)).Mint(epoch, player, &random)
	asked := AppendRetry(nil, &token, &random)
	if got, ok := ParseRetry(asked, &random); !ok || got != token || len(asked) != RetryLen {
		t.Errorf("%x", asked)
	}
	for i := range asked {
		changed := bytes.Clone(asked)
		changed[i]++
		if got, ok := ParseRetry(changed, &random); ok != (i >= 2 && i < 2+TokenLen) || ok && got == token {
			t.Errorf("byte %d changed: %v", i, ok)
		}
		if _, ok := ParseRetry(asked[:i], &random); ok {
			t.Errorf("cut to %d bytes", i)
		}
	}
	if _, ok := ParseRetry(append(asked, 0), &random); ok {
		t.Error("a byte is left over")
	}
	key := [32]byte{1}
	proof := Prove(&key, &token, &random)
	records := []byte{22, 0xfe, 0xfd}
	for n, ticket := range [][]byte{nil, {1}, bytes.Repeat([]byte{2}, maxTicket), bytes.Repeat([]byte{3}, maxTicket+1)} {
		b := AppendReturn(nil, &token, ticket, &proof)
		bare := ReturnLen
		if n == 1 || n == 2 {
			bare += len(ticket) + ProofLen
		}
		if len(b) != bare {
			t.Errorf("%d bytes for a ticket of %d", len(b), len(ticket))
		}
		b = append(b, records...)
		r, ok := ParseReturn(b)
		if !ok || *r.Token != token || !bytes.Equal(r.Records, records) {
			t.Fatalf("a ticket of %d bytes: %+v", len(ticket), r)
		}
		if bare > ReturnLen && (!bytes.Equal(r.Ticket, ticket) || !r.Proven(&key, &random)) || bare == ReturnLen && r.Ticket != nil {
			t.Errorf("a ticket of %d bytes is read as %d", len(ticket), len(r.Ticket))
		}
		for i := range b[:bare+1] {
			if _, ok := ParseReturn(b[:i]); ok {
				t.Errorf("cut to %d bytes", i)
			}
		}
		for i := range 2 {
			changed := bytes.Clone(b)
			changed[i]++
			if _, ok := ParseReturn(changed); ok {
				t.Errorf("byte %d changed", i)
			}
		}
	}
}

// A proof is of one ticket, token and ClientHello, in each bit.
func TestProof(t *testing.T) {
	key, token := [32]byte{1}, Token{2}
	proof := Prove(&key, &token, &random)
	proven := func(key [32]byte, token Token, random [RandomLen]byte, proof []byte) bool {
		r := Return{Token: &token, Proof: proof}
		return r.Proven(&key, &random)
	}
	if !proven(key, token, random, proof[:]) {
		t.Fatal("it proves nothing")
	}
	for i := range 8 * len(proof) {
		changed := proof
		changed[i/8] ^= 1 << (i % 8)
		if proven(key, token, random, changed[:]) {
			t.Errorf("bit %d makes no difference", i)
		}
	}
	otherKey, otherToken, otherRandom := key, token, random
	otherKey[31]++
	otherToken[19]++
	otherRandom[0]++
	if proven(otherKey, token, random, proof[:]) || proven(key, otherToken, random, proof[:]) || proven(key, token, otherRandom, proof[:]) || proven(key, token, random, nil) {
		t.Error("it is of several")
	}
	resumption := [32]byte{9}
	if got, err := ReturnKey(&resumption); err != nil || got == resumption || got == [32]byte{} {
		t.Error(got, err)
	}
}

// "allocates nothing for it but once for each new key"
func TestNoAllocs(t *testing.T) {
	m := NewMinter(new(Keys))
	buf := make([]byte, 0, RetryLen)
	if n := testing.AllocsPerRun(1000, func() {
		token := m.Mint(epoch, player, &random)
		buf = AppendRetry(buf[:0], &token, &random)
		if !m.Check(epoch, player, &random, &token) {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Nothing that anybody sends is read past its end, or read as two messages.
func FuzzMessages(f *testing.F) {
	token := NewMinter(new(Keys)).Mint(epoch, player, &random)
	proof := [ProofLen]byte{1}
	f.Add(AppendRetry(nil, &token, &random))
	f.Add(append(AppendReturn(nil, &token, nil, nil), 22))
	f.Add(append(AppendReturn(nil, &token, []byte("ticket"), &proof), 22))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := ParseRetry(b, &random); ok && !bytes.Equal(AppendRetry(nil, &got, &random), b) {
			t.Errorf("%x is read as %x", b, got)
		}
		r, ok := ParseReturn(b)
		if !ok {
			return
		}
		if IsRetry(b) || len(r.Records) == 0 || (r.Ticket == nil) != (r.Proof == nil) {
			t.Errorf("%x is read as %+v", b, r)
		}
		again := AppendReturn(nil, r.Token, nil, nil)
		if r.Ticket != nil {
			again = AppendReturn(nil, r.Token, r.Ticket, (*[ProofLen]byte)(r.Proof))
		}
		if !bytes.Equal(append(again, r.Records...), b) {
			t.Errorf("%x is read as %+v", b, r)
		}
	})
}

func BenchmarkMint(b *testing.B) {
	m := NewMinter(new(Keys))
	for b.Loop() {
		m.Mint(epoch, player, &random)
	}
}
