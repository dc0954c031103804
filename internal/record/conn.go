package record

import (
	"slices"

	"github.com/sallyport/sallyport/replay"
)

// Conn protects the records of one connection. Open and Seal each have one owner at a time, which
// may be two goroutines; New has none. A Conn keeps no buffers and works in those of its callers.
type Conn struct {
	// Owned by the caller of Open.
	in     half
	window replay.Window
	failed uint64

	// Owned by the caller of Seal.
	out   half
	next  uint64 // record number of the next record
	id    uint32 // connection id of explicit nonces
	hasID bool
	spent []uint64 // explicit nonces that the handshake used, constant
}

// New returns a Conn after Init.
func New(s *Secrets, isClient bool, next uint64, window int) (*Conn, error) {
	c := new(Conn)
	if err := c.Init(s, isClient, next, window); err != nil {
		return nil, err
	}
	return c, nil
}

// Init makes c the client's or the server's end of the protection that s yields. next is the first
// record number of epoch 1 that the handshake has not used, window the size of the replay window in
// records, as replay.Make takes it. s is not kept. The error is that of Check. c must not be copied
// afterwards.
func (c *Conn) Init(s *Secrets, isClient bool, next uint64, window int) error {
	if err := s.Check(next); err != nil {
		return err
	}
	k := s.expand()
	defer k.wipe()
	*c = Conn{window: replay.Make(window), next: next, spent: slices.Clone(s.Spent)}
	client, server := &c.out, &c.in
	if !isClient {
		client, server = server, client
	}
	client.set(k.clientKey, k.clientIV)
	server.set(k.serverKey, k.serverIV)
	return nil
}

// DropOpenKey and DropSealKey drop the expanded key of one direction, 768 bytes, of an idle connection.
// The next Open or Seal expands it again, which costs half a microsecond and an allocation. They
// belong to the owners of Open and Seal.
func (c *Conn) DropOpenKey() { c.in.dropExpanded() }

// DropSealKey drops the expanded key of Seal; see DropOpenKey.
func (c *Conn) DropSealKey() { c.out.dropExpanded() }

// Opened returns the highest record number that has opened, 0 before the first. It belongs to the
// owner of Open.
func (c *Conn) Opened() uint64 { return c.window.Highest() }

// Check reports why New would refuse the secrets at record number next: ErrSecrets for an unknown
// suite or a spent nonce that the counter has not passed yet, or ErrExhausted.
func (s *Secrets) Check(next uint64) error {
	if next >= MaxRecords {
		return ErrExhausted
	}
	_, _, ok := s.Suite.params()
	if !ok || slices.ContainsFunc(s.Spent, func(n uint64) bool { return ahead(n, next) }) {
		return ErrSecrets
	}
	return nil
}

// ahead reports whether a counter at next may still reach the explicit nonce.
func ahead(nonce, next uint64) bool {
	return nonce >= counted(next) && nonce < counted(1<<32)
}

// counted returns the explicit nonce of record number n without a connection id.
func counted(n uint64) uint64 { return epoch<<48 | n }

// FailedOpens returns how many records were forgeries: right in form, new, and not sealed under our
// key. It belongs to the owner of Open.
func (c *Conn) FailedOpens() uint64 { return c.failed }

// Sealed returns how many records the write key has protected, those of the handshake included: a
// new connection is due well before MaxRecords. It belongs to the owner of Seal.
func (c *Conn) Sealed() uint64 { return c.next }

// Wipe erases the keys; afterwards Open and Seal return ErrExhausted. The caller owns both sides.
// The expanded keys inside crypto/aes cannot be erased and are left to the garbage collector.
func (c *Conn) Wipe() {
	c.in, c.out = half{}, half{}
	c.id, c.hasID = 0, false
}
