package policy

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"

	"github.com/cespare/xxhash/v2"
)

// Fingerprint is what is known of a client: what it states, what its DTLS connection proves, and where it comes from.
// It is a value that two owners may read at once. fmt, slog and encoders see its name only: the exporter is a secret of
// the connection, and the rest tells players apart.
type Fingerprint struct {
	Platform, Build string // stated by the client

	Certificate    [32]byte // SHA-256 of the client's certificate in DER (RFC 8705 section 3)
	HasCertificate bool     // whether there is one; Certificate says nothing otherwise

	Channel [32]byte     // exporter of the DTLS connection (RFC 5705); zero where it is hidden
	Network netip.Prefix // observed by the server: FingerprintConfig.Prefix of the proven address
}

// redacted is all that fmt, slog and encoders see.
const redacted = "policy.Fingerprint{…}"

// Format writes the type's name, whatever the verb.
func (Fingerprint) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText returns the type's name. The error is nil.
func (Fingerprint) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Digest returns XXH64 of all parts, each after its length or of a fixed one, so that no two fingerprints are hashed as
// the same bytes. It is the cheap first look: digests that differ mean fingerprints that differ; equal ones are no
// proof, since whoever knows the seed can make two collide. It never stands for identity. The seed is random, one for
// each process. It does not allocate.
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

// appendCertificate appends 33 bytes: what Certificate holds without HasCertificate makes no difference.
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
