package record

import (
	"slices"

	"github.com/sallyport/sallyport/replay"
)

// Conn protects the records of one connection. Open and Seal each have one owner at a time, which may be two
// goroutines; New has neither. A Conn keeps no buffer: it works in those of its callers.
type Conn struct {
	// Owned by the caller of Open.
	in     half
	window replay.Window
	failed uint64

	// Owned by the caller of Seal.
	out    half
	next   uint64 // record number of the next record
	hint   uint32
	hinted bool
	spent  []uint64 // explicit nonces that the handshake used, constant
}

// New returns a Conn after Init.
func New(s *Secrets, isClient bool, next uint64, window int) (*Conn, error) {
	c := new(Conn)
	if err := c.Init(s, isClient, next, window); err != nil {
		return nil, err
	}
	return c, nil
}

// Init makes c the protection that s yields at the client's or the server's end. next is the first record
// number of epoch 1 that the handshake has not used, window the size of the replay window in records as
// replay.Make takes it. s is not kept. The error is that of Check. From then on c must not be copied.
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

// RestOpen and RestSeal let go of what is expanded from a key, 768 bytes, for a connection that is silent. The next
// Open or Seal expands it again, which costs half a microsecond and an allocation. They belong to the owners of
// Open and Seal.
func (c *Conn) RestOpen() { c.in.rest() }

// RestSeal is RestOpen's twin.
func (c *Conn) RestSeal() { c.out.rest() }

// Opened returns the highest record number that has opened, 0 before the first. It belongs to the owner of Open.
func (c *Conn) Opened() uint64 { return c.window.Highest() }

// Check tells whether New will take the secrets at record number next. The error is ErrSecrets, for an unknown
// suite and for a spent nonce that the counter has still ahead of it, or ErrExhausted.
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

// ahead tells whether a counter that stands at next could still come to the explicit nonce.
func ahead(nonce, next uint64) bool {
	return nonce >= counted(next) && nonce < counted(1<<32)
}

// counted is the explicit nonce of record number n without a hint.
func counted(n uint64) uint64 { return epoch<<48 | n }

// FailedOpens returns how many records were forgeries: right in form, new, and not sealed under our key.
// It belongs to the owner of Open.
func (c *Conn) FailedOpens() uint64 { return c.failed }

// Sealed returns how many records the write key has protected, those of the handshake included: a new
// connection is due well before MaxRecords. It belongs to the owner of Seal.
func (c *Conn) Sealed() uint64 { return c.next }

// Wipe forgets the keys; afterwards Open and Seal give ErrExhausted. The caller owns both sides. The expanded
// keys inside crypto/aes are out of reach and go with the garbage.
func (c *Conn) Wipe() {
	c.in, c.out = half{}, half{}
	c.hint, c.hinted = 0, false
}
