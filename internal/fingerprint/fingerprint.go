package fingerprint

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"

	"github.com/cespare/xxhash/v2"
)

// Fingerprint describes a client: its own statements, what its DTLS connection proves, and its
// network. It is a value that two owners may read at once. fmt, slog and encoders see only the
// type's name, because the exporter is a secret of the connection and the other parts identify
// players.
type Fingerprint struct {
	Platform, Build string // stated by the client

	Certificate    [32]byte // SHA-256 of the client's certificate in DER (RFC 8705 section 3)
	HasCertificate bool     // whether there is one; Certificate is ignored otherwise

	Channel [32]byte     // exporter of the DTLS connection (RFC 5705); zero where it is hidden
	Network netip.Prefix // observed by the server: Prefix of the validated address
}

// redacted is all that fmt, slog and encoders see.
const redacted = "fingerprint.Fingerprint{…}"

// Format writes the type's name, for every verb.
func (Fingerprint) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText returns the type's name. The error is nil.
func (Fingerprint) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Digest returns XXH64 over all parts, each of a fixed length or preceded by its length, so that
// different fingerprints are different input. Digests that differ mean that the fingerprints
// differ; equal digests prove nothing, since anyone who knows the seed can make two collide. It
// never replaces Judge. The seed is random, one for each process. Digest does not allocate.
func (f *Fingerprint) Digest(seed uint64) uint64 {
	var d xxhash.Digest
	d.ResetWithSeed(seed)
	var b [8 + 8 + 1 + 32 + 32 + 17 + 1]byte
	fixed := binary.BigEndian.AppendUint64(b[:0], uint64(len(f.Platform)))
	fixed = binary.BigEndian.AppendUint64(fixed, uint64(len(f.Build)))
	fixed = f.appendCertificate(fixed)
	fixed = append(fixed, f.Channel[:]...)
	fixed = appendNetwork(fixed, f.Network)
	_, _ = d.Write(fixed) // none of these fails
	_, _ = d.WriteString(f.Platform)
	_, _ = d.WriteString(f.Build)
	return d.Sum64()
}

// appendCertificate appends 33 bytes. Without HasCertificate the content of Certificate makes no
// difference.
func (f *Fingerprint) appendCertificate(b []byte) []byte {
	if !f.HasCertificate {
		return append(b, make([]byte, 1+len(f.Certificate))...)
	}
	return append(append(b, 1), f.Certificate[:]...)
}

// appendNetwork appends 18 bytes: the kind of address, 16 bytes of it, the length of the prefix.
func appendNetwork(b []byte, p netip.Prefix) []byte {
	a := p.Addr().As16() // zero for an invalid one, which no length fits
	return append(append(append(b, byte(p.Addr().BitLen())), a[:]...), byte(p.Bits()))
}
