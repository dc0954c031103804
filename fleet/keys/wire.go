package keys

import (
	"encoding/hex"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// A kind is what an envelope has. The numbers are on the wire.
type kind uint8

const (
	kindAnnouncement kind = 1
	kindGrant        kind = 2
)

// label is the purpose of a signature.
func (k kind) label() string {
	switch k {
	case kindAnnouncement:
		return "sallyport v1 fleet keys, announcement"
	case kindGrant:
		return "sallyport v1 fleet keys, grant"
	}
	return "sallyport v1 fleet keys, unknown"
}

// envelope is a message with its signature and the certificates of whoever has signed it.
type envelope struct {
	kind      kind
	chain     [][]byte
	body      []byte
	signature []byte
}

const envelopeVersion = 1

func (e envelope) append(dst []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(dst)
	b.AddUint8(envelopeVersion)
	b.AddUint8(uint8(e.kind))
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, c := range e.chain {
			addText(b, c)
		}
	})
	addText(b, e.body)
	addText(b, e.signature)
	return b.Bytes()
}

// parseEnvelope reads a message. What it returns is part of b.
func parseEnvelope(b []byte) (e envelope, err error) {
	s := cryptobyte.String(b)
	var version, number uint8
	var chain cryptobyte.String
	if len(b) > maxMessage || !s.ReadUint8(&version) || version != envelopeVersion || !s.ReadUint8(&number) ||
		!s.ReadUint16LengthPrefixed(&chain) || !readText(&s, &e.body) || !readText(&s, &e.signature) || !s.Empty() {
		return envelope{}, errForm
	}
	for !chain.Empty() {
		var c []byte
		if len(e.chain) == maxChain || !readText(&chain, &c) {
			return envelope{}, errForm
		}
		e.chain = append(e.chain, c)
	}
	e.kind = kind(number)
	return e, nil
}

// instance is the number of one process's Holder.
type instance [16]byte

// String returns the number in hexadecimal.
func (i instance) String() string { return hex.EncodeToString(i[:]) }

// parseInstance reads what String returns.
func parseInstance(s string) (i instance, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(i) {
		return i, false
	}
	return instance(b), true
}

// version says which ring is meant: a revision within an epoch, in the order of both.
type version struct{ epoch, revision uint64 }

// before reports whether v is older than o.
func (v version) before(o version) bool {
	return v.epoch < o.epoch || v.epoch == o.epoch && v.revision < o.revision
}

// announcement is what a Holder says of itself.
type announcement struct {
	fleet    string
	instance instance
	former   instance // whose place it takes, or zero
	counter  uint64
	made     time.Time // in milliseconds
	ring     version   // that it has
	leaving  bool      // it seals no more
	public   [32]byte
}

func (a announcement) append(dst []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(dst)
	addText(b, []byte(a.fleet))
	b.AddBytes(a.instance[:])
	b.AddBytes(a.former[:])
	b.AddUint64(a.counter)
	b.AddUint64(uint64(a.made.UnixMilli()))
	a.ring.add(b)
	b.AddUint8(flag(a.leaving))
	b.AddBytes(a.public[:])
	return b.Bytes()
}

func parseAnnouncement(b []byte) (a announcement, err error) {
	s := cryptobyte.String(b)
	var fleet []byte
	var made uint64
	var leaving uint8
	if !readText(&s, &fleet) || !s.CopyBytes(a.instance[:]) || !s.CopyBytes(a.former[:]) || !s.ReadUint64(&a.counter) ||
		!s.ReadUint64(&made) || !a.ring.read(&s) || !s.ReadUint8(&leaving) || leaving > 1 || !s.CopyBytes(a.public[:]) || !s.Empty() ||
		a.counter == 0 || a.instance == (instance{}) || a.ring.epoch > maxEpoch {
		return announcement{}, errForm
	}
	a.fleet, a.made, a.leaving = string(fleet), time.UnixMilli(int64(made)), leaving == 1
	return a, nil
}

// grant is what a Keeper says to one instance.
type grant struct {
	fleet    string
	instance instance
	counter  uint64
	ring     version
	lease    time.Duration // in milliseconds
	sealed   []byte
}

// head appends what the seal is bound to.
func (g grant) head(b *cryptobyte.Builder) {
	addText(b, []byte(g.fleet))
	b.AddBytes(g.instance[:])
	b.AddUint64(g.counter)
	g.ring.add(b)
	b.AddUint64(uint64(g.lease.Milliseconds()))
}

func (g grant) append(dst []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(dst)
	g.head(b)
	addText(b, g.sealed)
	return b.Bytes()
}

// parseGrant reads a grant. Its sealed ring is part of b.
func parseGrant(b []byte) (g grant, err error) {
	s := cryptobyte.String(b)
	var fleet []byte
	var lease uint64
	if !readText(&s, &fleet) || !s.CopyBytes(g.instance[:]) || !s.ReadUint64(&g.counter) || !g.ring.read(&s) ||
		!s.ReadUint64(&lease) || !readText(&s, &g.sealed) || !s.Empty() || lease > uint64((7*24*time.Hour).Milliseconds()) {
		return grant{}, errForm
	}
	g.fleet, g.lease = string(fleet), time.Duration(lease)*time.Millisecond
	return g, nil
}

func (v version) add(b *cryptobyte.Builder) {
	b.AddUint64(v.epoch)
	b.AddUint64(v.revision)
}

func (v *version) read(s *cryptobyte.String) bool {
	return s.ReadUint64(&v.epoch) && s.ReadUint64(&v.revision)
}

func addText(b *cryptobyte.Builder, text []byte) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(text) })
}

func readText(s *cryptobyte.String, out *[]byte) bool {
	return s.ReadUint16LengthPrefixed((*cryptobyte.String)(out))
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
