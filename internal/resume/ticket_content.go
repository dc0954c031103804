package resume

import (
	"encoding/binary"

	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/internal/wire"
)

const (
	ticketVersion = 2
	ticketFixed   = 115 // bytes before the network prefix
)

// appendTo appends a ticket's content:
//
//	offset size
//	     0    1  version, 2
//	     1    1  flags: 1 client certificate, 2 identity token bound to it
//	     2    1  binding mode
//	     3    4  epoch, from 1
//	     7    4  session id on the server that made it, 0 never
//	    11    8  expiry of the identity token, Unix milliseconds
//	    19    8  client next: the client's next sequence when the ticket was made, from 1
//	    27    8  issued: when the identity token was, Unix milliseconds, 0 if it did not say
//	    35   16  session name (section 8.4), the same on all of the session's connections
//	    51   32  resumption key (section 8.2)
//	    83   32  fingerprint digest (section 6.2)
//	   115       network prefix, issuer, subject, token id, sign-in id, key id, scope, identity: length 2 and value each
func (t *Ticket) appendTo(dst []byte) []byte {
	dst = append(dst, ticketVersion, bits(t.Certificate, t.Bound), t.Binding)
	dst = binary.BigEndian.AppendUint32(dst, t.Epoch)
	dst = binary.BigEndian.AppendUint32(dst, t.Session)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Expires))
	dst = binary.BigEndian.AppendUint64(dst, t.ClientNext)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Issued))
	dst = append(dst, t.Name[:]...)
	dst = append(dst, t.Key[:]...)
	dst = append(dst, t.Digest[:]...)
	dst = appendNetwork(dst, t.Network)
	for _, s := range t.texts() {
		dst = appendItem(dst, *s)
	}
	return dst
}

// parseTicket reads the content. Nothing in the result is part of b.
func parseTicket(b []byte) (t Ticket, ok bool) {
	u := newUnpacker(b)
	u.Require(u.Uint8() == ticketVersion)
	flags := u.bits(3)
	t.Certificate, t.Bound = flags&1 != 0, flags&2 != 0
	t.Binding = u.Uint8()
	t.Epoch = u.Uint32()
	t.Session = u.Uint32()
	t.Expires = int64(u.Uint64())
	t.ClientNext = u.Uint64()
	t.Issued = int64(u.Uint64())
	u.Fill(t.Name[:])
	u.Fill(t.Key[:])
	u.Fill(t.Digest[:])
	t.Network = u.network()
	for _, s := range t.texts() {
		*s = string(u.item())
	}
	if !u.Done() || !t.coherent() {
		return Ticket{}, false
	}
	return t, true
}

// texts returns the ticket's texts, in the order in which they are written.
func (t *Ticket) texts() [7]*string {
	return [7]*string{&t.Issuer, &t.Subject, &t.TokenID, &t.SignIn, &t.KeyID, &t.Scope, &t.Identity}
}

// fitting returns the ticket with as much of its identity as there is room for.
func (t *Ticket) fitting() *Ticket {
	id, ok := identity.Parse(t.Identity)
	length := ticketFixed + len(appendNetwork(nil, t.Network))
	for _, s := range t.texts() {
		length += 2 + len(*s)
	}
	if length <= maxTicketContent || !ok {
		return t
	}
	fit := *t
	fit.Identity = identity.Bytes(identity.Part(id, max(0, len(t.Identity)-(length-maxTicketContent))))
	return &fit
}

// coherent reports whether a live session can have these values.
func (t *Ticket) coherent() bool {
	return t.Binding <= wire.BindingExporter && t.Epoch > 0 && t.Session > 0 && t.Expires > 0 && t.Issued >= 0 &&
		t.ClientNext > 0 && (t.Certificate || !t.Bound) && t.Issuer != "" && t.Subject != "" && t.TokenID != "" && sealable(t.Identity)
}

// sealable reports whether b is an identity that a ticket or a snapshot may have.
func sealable(b string) bool {
	_, ok := identity.Parse(b)
	return ok && len(b) <= MaxIdentity
}
