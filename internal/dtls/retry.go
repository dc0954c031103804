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

// retries counts a shard's proofs of address, for everybody to read.
type retries struct {
	sent     atomic.Uint64 // RETRY, each the answer to a ClientHello of which nothing is kept
	returned atomic.Uint64 // ClientHellos with a token of their sender's
	vouched  atomic.Uint64 // those of them with a ticket
	wrong    atomic.Uint64 // ClientHellos whose token is no good, or whose ticket or proof is not
}

// shownBy is what the sender of the datagram that is handled has shown. Who comes by a carrier has
// proven its address to that.
func (h *Handshakes) shownBy(addr udp.Flow) shown {
	s := h.shown
	s.returned = s.returned || addr.Local == addrtable.Carried
	return s
}

// returned handles a RETURN: what its token and its ticket show counts for the ClientHello behind it.
// Other records of a handshake are handled as if they came without: what they need is there, or not.
func (h *Handshakes) returned(now time.Time, addr udp.Flow, b []byte) {
	r, ok := retry.ParseReturn(b)
	if !ok || len(r.Records) > MaxDatagram && !IsHandshake(r.Records) {
		h.shard.Drop(audit.DropSource)
		return
	}
	if handshake.IsFirstHello(r.Records) {
		h.shown = h.look(now, addr, &r)
	}
	h.shard.route(now, addr, r.Records)
	h.shown = shown{}
}

// proves reports whether the sender of a datagram that begins a handshake has proven its address.
func (h *Handshakes) proves(now time.Time, addr udp.Flow, b []byte) bool {
	r, ok := retry.ParseReturn(b)
	return ok && h.owns(now, addr, &r) || h.shownBy(addr).returned
}

// owns reports whether the token of a RETURN with a first ClientHello is its sender's.
func (h *Handshakes) owns(now time.Time, addr udp.Flow, r *retry.Return) bool {
	random := handshake.Random(r.Records)
	return h.minter.Check(now, addr.AddrPort, &random, r.Token)
}

// look checks a RETURN with a first ClientHello. A token that is no good, such as that of another
// process, is none.
func (h *Handshakes) look(now time.Time, addr udp.Flow, r *retry.Return) (s shown) {
	if !h.owns(now, addr, r) {
		h.strange.wrong.Add(1)
		return shown{}
	}
	s.returned = true
	h.strange.returned.Add(1)
	if vouch := h.shard.Endpoint.config.Vouch; r.Ticket != nil && vouch != nil {
		random := handshake.Random(r.Records)
		session, key, ok := vouch(now, r.Ticket)
		if !ok || !r.Proven(&key, &random) {
			h.strange.wrong.Add(1)
			return s
		}
		s.vouched, s.session = true, session
		h.strange.vouched.Add(1)
	}
	return s
}

// beforehand asks who is let in, too, for a proof while the sockets shed what comes without: else the rest of
// the handshake would be left to the lot. HelloVerifyRequest follows, and both are fewer bytes than have come.
func (h *Handshakes) beforehand(now time.Time, addr udp.Flow, hello []byte) {
	if !h.shard.Endpoint.sheds.Load() || h.shownBy(addr).returned || len(hello) < retry.RetryLen+handshake.VerifyLen {
		return
	}
	random := handshake.Random(hello)
	token := h.minter.Mint(now, addr.AddrPort, &random)
	h.strange.sent.Add(1)
	h.shard.Socket.SendOne(udp.Packet{Addr: addr, Buf: retry.AppendRetry(nil, &token, &random)}) // HelloVerifyRequest does not wait either
}

// turnAway is for a ClientHello for which there is no room. A stranger is told how to prove its
// address, in fewer bytes than it has sent, and nothing is kept of it.
func (h *Handshakes) turnAway(now time.Time, addr udp.Flow, hello []byte) {
	if h.shownBy(addr).returned {
		h.shard.Drop(audit.DropBudget)
		return
	}
	random := handshake.Random(hello)
	token := h.minter.Mint(now, addr.AddrPort, &random)
	h.strange.sent.Add(1)
	o := &h.shard.Out
	o.Mu.Lock()
	defer o.Mu.Unlock()
	o.Commit(retry.AppendRetry(o.Next(addr).Buf[:0], &token, &random))
	o.FlushUnlessHeld()
}
