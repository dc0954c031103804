package resume

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// A sealed ticket:
//
//	offset size
//	     0    4  fleet key id, which is the additional data
//	     4   12  nonce, random
//	    16       AES-256-GCM of the content under HKDF-SHA256(fleet key, no salt, "sallyport v1 ticket")
//	   end   16  authentication tag
const (
	fleetIDLen     = 4
	ticketPrefix   = fleetIDLen + 12
	ticketOverhead = ticketPrefix + 16

	// maxTicketContent leaves 353 bytes for names and network prefix: those of
	// Amazon Cognito take 260 to 300.
	maxTicketContent = wire.MaxTicket - ticketOverhead

	// maxUsedTickets bounds the memory of tickets that have resumed a session
	// (about 20 MB when full). When it is full nobody resumes: to forget one
	// would let a stolen one in.
	maxUsedTickets = 1 << 18
)

var (
	// errTicket is the one answer to a ticket that is refused, whatever the reason.
	errTicket = errors.New("session: ticket refused")

	// errNoTicket means that none can be issued, and that the player goes on
	// without: no fleet key, one that has sealed 2^32 tickets or was wiped, or
	// names too long for 512 bytes.
	errNoTicket = errors.New("session: no ticket can be issued")
)

// ticket is what a server has to know of a session to go on with it on another
// connection, where nobody has heard of it. Its content, in bytes:
//
//	offset size
//	     0    1  version, 1
//	     1    1  flags: 1 if the client showed a certificate, else 0
//	     2    1  binding mode
//	     3    4  epoch, from 1
//	     7    8  expiry, Unix milliseconds
//	    15    8  client next: the client's next sequence when the ticket was made, from 1
//	    23    8  server next: the server's, from 1
//	    31   16  session name
//	    47   32  resumption key
//	    79   32  fingerprint digest
//	   111       items, each behind its length (2): network prefix, issuer, subject, token id,
//	             sign-in id, key id, scope
//
// The prefix is empty, or address (4 or 16) and number of bits (1). Platform and
// build are not in it: HELLO states them again, and the digest holds the client
// to them and to its certificate. Rate and behaviour begin anew.
type ticket struct {
	name        [16]byte // of the session: random, the same on all its connections
	resumption  [32]byte // see resumptionKey
	issuer      string
	subject     string
	tokenID     string
	signIn      string // what all tokens of one sign-in share, or empty
	keyID       string // of the issuer's key that signed the identity token, or empty
	scope       string
	binding     byte
	certificate bool     // tells which part of a fingerprint differs; the digest decides
	digest      [32]byte // Fingerprint.digest of the connection it was made on
	network     netip.Prefix
	epoch       uint32
	expires     int64 // Unix ms: that of the identity token

	// No direction goes on below these, whatever the client states.
	clientNext, serverNext uint64

	use [32]byte // of an opened ticket: session name, nonce, fleet key id
}

// seal appends the sealed ticket, at most wire.MaxTicket bytes, to dst. The
// error is errNoTicket, with dst as it was, or that of random.
func (t *ticket) seal(dst []byte, keys *FleetKeys, random io.Reader) ([]byte, error) {
	b := t.appendTo(make([]byte, 0, wire.MaxTicket))
	defer clear(b)
	current := keys.first()
	if len(b) > maxTicketContent || len(current) == 0 || !t.coherent() {
		return dst, errNoTicket
	}
	key := current[0].key()
	c := key.ticket.Load()
	if c == nil || key.seals.Add(1) > maxSeals {
		return dst, errNoTicket
	}
	var prefix [ticketPrefix]byte
	binary.BigEndian.PutUint32(prefix[:], key.id)
	if _, err := io.ReadFull(random, prefix[fleetIDLen:]); err != nil {
		return dst, err
	}
	return c.Seal(append(dst, prefix[:]...), prefix[fleetIDLen:], b, prefix[:fleetIDLen]), nil
}

// openTicket opens what seal has written, if a key of the ring has sealed it
// and it has not expired. Nothing in the result is part of b. The error is
// errTicket.
func openTicket(keys *FleetKeys, now time.Time, b []byte) (ticket, error) {
	if len(b) < ticketOverhead || len(b) > wire.MaxTicket {
		return ticket{}, errTicket
	}
	key := keys.find(binary.BigEndian.Uint32(b))
	if key == nil {
		return ticket{}, errTicket
	}
	c := key.ticket.Load()
	if c == nil {
		return ticket{}, errTicket
	}
	var buf [maxTicketContent]byte
	defer clear(buf[:])
	content, err := c.Open(buf[:0], b[fleetIDLen:ticketPrefix], b[ticketPrefix:], b[:fleetIDLen])
	if err != nil {
		return ticket{}, errTicket
	}
	t, ok := parseTicket(content)
	if !ok || now.UnixMilli() >= t.expires {
		return ticket{}, errTicket
	}
	copy(t.use[:], t.name[:])
	copy(t.use[len(t.name):], b[fleetIDLen:ticketPrefix])
	copy(t.use[len(t.use)-fleetIDLen:], b)
	return t, nil
}

const ticketVersion = 1

// appendTo appends the content.
func (t *ticket) appendTo(dst []byte) []byte {
	dst = append(dst, ticketVersion, bits(t.certificate), t.binding)
	dst = binary.BigEndian.AppendUint32(dst, t.epoch)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.expires))
	dst = binary.BigEndian.AppendUint64(dst, t.clientNext)
	dst = binary.BigEndian.AppendUint64(dst, t.serverNext)
	dst = append(dst, t.name[:]...)
	dst = append(dst, t.resumption[:]...)
	dst = append(dst, t.digest[:]...)
	dst = appendNetwork(dst, t.network)
	for _, s := range t.texts() {
		dst = appendItem(dst, *s)
	}
	return dst
}

func parseTicket(b []byte) (t ticket, ok bool) {
	u := unpacker{left: b}
	u.require(u.uint8() == ticketVersion)
	t.certificate = u.bits(1)&1 != 0
	t.binding = u.uint8()
	t.epoch = u.uint32()
	t.expires = int64(u.uint64())
	t.clientNext = u.uint64()
	t.serverNext = u.uint64()
	u.fill(t.name[:])
	u.fill(t.resumption[:])
	u.fill(t.digest[:])
	t.network = u.network()
	for _, s := range t.texts() {
		*s = string(u.item())
	}
	if !u.done() || !t.coherent() {
		return ticket{}, false
	}
	return t, true
}

// texts are the ticket's names, in the order in which they are written.
func (t *ticket) texts() [6]*string {
	return [6]*string{&t.issuer, &t.subject, &t.tokenID, &t.signIn, &t.keyID, &t.scope}
}

// coherent says whether a live session can be like that.
func (t *ticket) coherent() bool {
	return t.binding <= wire.BindingExporter && t.epoch > 0 && t.expires > 0 && t.clientNext > 0 && t.serverNext > 0 &&
		t.issuer != "" && t.subject != "" && t.tokenID != ""
}
