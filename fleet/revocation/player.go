package revocation

import (
	"crypto/sha256"
	"encoding/binary"
)

// player is a digest of issuer and subject.
type player [16]byte

func playerOf(r *Record) player {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(r.Issuer)))
	sum := sha256.Sum256(append(append(b, r.Issuer...), r.Value...))
	return player(sum[:16])
}
