package dtls

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/addrtable"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/retry"
	"github.com/sallyport/sallyport/internal/udp"
)

// shown is what the sender of a datagram has shown before any state.
type shown struct {
	returned bool     // it receives at its address
	vouched  bool     // and holds the ticket
	session  [16]byte // of this session
}

// proofs asks the senders of ClientHellos to prove their addresses, and checks what they return. It
// belongs to the shard's turn.
type proofs struct {
	shard   *Shard // constant
	minter  *retry.Minter
	shown   shown // by the sender of the datagram that is handled
	retries retries
}

// retries counts a shard's proofs of address, for everybody to read.
type retries struct {
	sent     atomic.Uint64 // RETRY, each the answer to a ClientHello of which nothing is kept
	returned atomic.Uint64 // ClientHellos with a token of their sender's
	vouched  atomic.Uint64 // those of them with a ticket
	wrong    atomic.Uint64 // ClientHellos whose token is no good, or whose ticket or proof is not
}

// by is what the sender of the datagram that is handled has shown. Who comes by a carrier has
// proven its address to that.
func (p *proofs) by(addr udp.Flow) shown {
	s := p.shown
	s.returned = s.returned || addr.Local == addrtable.Carried
	return s
}

// returned handles a RETURN: what its token and its ticket show counts for the ClientHello behind it.
// Other records of a handshake are handled as if they came without: what they need is there, or not.
func (p *proofs) returned(now time.Time, addr udp.Flow, b []byte) {
	r, ok := retry.ParseReturn(b)
	if !ok || len(r.Records) > MaxDatagram && !IsHandshake(r.Records) {
		p.shard.Drop(audit.DropSource)
		return
	}
	if handshake.IsFirstHello(r.Records) {
		p.shown = p.look(now, addr, &r)
	}
	p.shard.route(now, addr, r.Records)
	p.shown = shown{}
}

// proves reports whether the sender of a datagram that begins a handshake has proven its address.
func (p *proofs) proves(now time.Time, addr udp.Flow, b []byte) bool {
	r, ok := retry.ParseReturn(b)
	return ok && p.owns(now, addr, &r) || p.by(addr).returned
}

// owns reports whether the token of a RETURN with a first ClientHello is its sender's.
func (p *proofs) owns(now time.Time, addr udp.Flow, r *retry.Return) bool {
	random := handshake.Random(r.Records)
	return p.minter.Check(now, addr.AddrPort, &random, r.Token)
}

// look checks a RETURN with a first ClientHello. A token that is no good, such as that of another
// process, is none.
func (p *proofs) look(now time.Time, addr udp.Flow, r *retry.Return) (s shown) {
	if !p.owns(now, addr, r) {
		p.retries.wrong.Add(1)
		return shown{}
	}
	s.returned = true
	p.retries.returned.Add(1)
	if vouch := p.shard.Endpoint.config.Vouch; r.Ticket != nil && vouch != nil {
		random := handshake.Random(r.Records)
		session, key, ok := vouch(now, r.Ticket)
		if !ok || !r.Proven(&key, &random) {
			p.retries.wrong.Add(1)
			return s
		}
		s.vouched, s.session = true, session
		p.retries.vouched.Add(1)
	}
	return s
}

// beforehand asks who is let in, too, for a proof while the sockets shed what comes without: else the rest of
// the handshake would be left to the lot. HelloVerifyRequest follows, and both are fewer bytes than have come.
func (p *proofs) beforehand(now time.Time, addr udp.Flow, hello []byte) {
	if !p.shard.Endpoint.flood.sheds.Load() || p.by(addr).returned || len(hello) < retry.RetryLen+handshake.VerifyLen {
		return
	}
	random := handshake.Random(hello)
	token := p.minter.Mint(now, addr.AddrPort, &random)
	p.retries.sent.Add(1)
	p.shard.Socket.SendOne(udp.Packet{Addr: addr, Buf: retry.AppendRetry(nil, &token, &random)}) // HelloVerifyRequest does not wait either
}

// turnAway is for a ClientHello for which there is no room. A stranger is told how to prove its
// address, in fewer bytes than it has sent, and nothing is kept of it.
func (p *proofs) turnAway(now time.Time, addr udp.Flow, hello []byte) {
	if p.by(addr).returned {
		p.shard.Drop(audit.DropBudget)
		return
	}
	random := handshake.Random(hello)
	token := p.minter.Mint(now, addr.AddrPort, &random)
	p.retries.sent.Add(1)
	o := &p.shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	o.Commit(retry.AppendRetry(o.Next(addr).Buf[:0], &token, &random))
	o.FlushUnlessHeld()
}
