package resume

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/wire"
)

// A sealed ticket:
//
//	offset size
//	     0    4  fleet key id
//	     4   12  nonce, random
//	    16       AES-256-GCM of the content and its tag (16); the fleet key id is the additional data
//
// The key is HKDF-SHA256(fleet key, no salt, "sallyport v1 ticket").
const (
	keyIDLen       = 4
	ticketPrefix   = keyIDLen + 12
	ticketOverhead = ticketPrefix + 16
)

var (
	// ErrTicket is matched by every error for a ticket that is refused. The client is told no more.
	ErrTicket = errors.New("resume: ticket refused")

	// ErrTicketKey means that no key of the ring has the id of the one that sealed the ticket.
	ErrTicketKey = fmt.Errorf("%w: unknown fleet key", ErrTicket)

	// ErrTicketExpired means that the ticket has expired, and nothing else is wrong with it.
	ErrTicketExpired = fmt.Errorf("%w: expired", ErrTicket)

	// ErrNoTicket means that none can be issued, and that the player goes on
	// without: no fleet key, one that has sealed 2^32 tickets or was wiped, or
	// names too long for 512 bytes.
	ErrNoTicket = errors.New("resume: no ticket can be issued")
)

// Ticket is what a server needs to know of a session to continue it on another connection, possibly
// on a server that has never seen it. Platform and build are not in it: HELLO states them again,
// and Digest binds the client to them and to its certificate. Rate and behaviour start afresh.
type Ticket struct {
	Name        [16]byte // of the session: random, the same on all its connections
	Key         [32]byte // the resumption key, see Key
	Issuer      string
	Subject     string
	TokenID     string
	SignIn      string // id that all tokens of one sign-in share, or empty
	KeyID       string // of the issuer's key that signed the identity token, or empty
	Scope       string
	Identity    string // of package identity, at most MaxIdentity bytes
	Binding     byte
	Bound       bool     // an identity token of the session was bound to the client's certificate (cnf)
	Certificate bool     // identifies the part of a fingerprint that differs; Digest decides
	Digest      [32]byte // PROTOCOL.md 6.2, of the connection it was made on
	Network     netip.Prefix
	Epoch       uint32 // from 1
	Session     uint32 // id on the server that made it, never 0
	Expires     int64  // Unix ms: that of the identity token
	Issued      int64  // Unix ms: that of the identity token, 0 if it did not say
	ClientNext  uint64 // the client's next sequence when the ticket was made, from 1: it never goes on below
}

// Seal appends the sealed ticket, at most wire.MaxTicket bytes, to dst; 12 bytes
// of random are its nonce. It leaves out what does not fit of Identity. The error is ErrNoTicket, or that of random, and dst
// is as it was.
func (t *Ticket) Seal(dst []byte, keys *fleetkey.Ring, random io.Reader) ([]byte, error) {
	b := t.fitting().appendTo(make([]byte, 0, wire.MaxTicket))
	defer clear(b)
	key, ok := keys.First()
	if !ok || len(b) > maxTicketContent || !t.coherent() {
		return dst, ErrNoTicket
	}
	var prefix [ticketPrefix]byte
	binary.BigEndian.PutUint32(prefix[:], key.ID())
	if _, err := io.ReadFull(random, prefix[keyIDLen:]); err != nil {
		return dst, err
	}
	sealed, err := key.SealTicket(append(dst, prefix[:]...), prefix[keyIDLen:], b, prefix[:keyIDLen])
	if err != nil {
		return dst, ErrNoTicket
	}
	return sealed, nil
}

// OpenTicket opens a ticket that Seal has written, if a key of the ring has sealed it and it has
// not expired. Nothing in the result is part of b. The error matches ErrTicket.
func OpenTicket(keys *fleetkey.Ring, now time.Time, b []byte) (Ticket, error) {
	if len(b) < ticketOverhead || len(b) > wire.MaxTicket {
		return Ticket{}, ErrTicket
	}
	key, ok := keys.Find(binary.BigEndian.Uint32(b))
	if !ok {
		return Ticket{}, ErrTicketKey
	}
	var buf [maxTicketContent]byte
	defer clear(buf[:])
	content, err := key.OpenTicket(buf[:0], b[keyIDLen:ticketPrefix], b[ticketPrefix:], b[:keyIDLen])
	if err != nil {
		return Ticket{}, ErrTicket
	}
	t, ok := parseTicket(content)
	switch {
	case !ok:
		return Ticket{}, ErrTicket
	case now.UnixMilli() >= t.Expires:
		return Ticket{}, ErrTicketExpired
	}
	return t, nil
}
