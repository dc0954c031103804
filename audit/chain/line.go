package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/sallyport/sallyport/internal/auditchain"
)

// line is what a verifier looks at of a line.
type line struct {
	chain    string
	sequence uint64
	previous [sha256.Size]byte // zero where the line names none
	hash     [sha256.Size]byte
	time     time.Time
	link     auditchain.Link

	lost, suppressed uint64
}

// parse reads a line without its line feed; false for one that is not of a chain.
func parse(text []byte) (line, bool) {
	var l struct {
		Time     int64 `json:"time"`
		Metadata struct {
			Sequence uint64 `json:"sequence"`
		} `json:"metadata"`
		Unmapped struct {
			Lost       uint64          `json:"lost"`
			Suppressed uint64          `json:"suppressed"`
			Chain      auditchain.Link `json:"chain"`
		} `json:"unmapped"`
	}
	if len(text) > maxLine || json.Unmarshal(text, &l) != nil || l.Metadata.Sequence == 0 {
		return line{}, false
	}
	parsed := line{
		chain: l.Unmapped.Chain.ID, sequence: l.Metadata.Sequence, hash: auditchain.Hash(text),
		time: time.UnixMilli(l.Time).UTC(), link: l.Unmapped.Chain, lost: l.Unmapped.Lost, suppressed: l.Unmapped.Suppressed,
	}
	ok := isHex(parsed.chain, auditchain.IDLen)
	if parsed.link.Previous != "" {
		ok = ok && isHex(parsed.link.Previous, sha256.Size)
		hex.Decode(parsed.previous[:], []byte(parsed.link.Previous)) //nolint:errcheck // isHex
	}
	if after := parsed.link.After; after != nil {
		ok = ok && isHex(after.ID, auditchain.IDLen) && after.ID != parsed.chain && after.Sequence > 0 && parsed.link.Previous != ""
	}
	return parsed, ok
}

// isHex reports whether s is n bytes in lower-case hex digits.
func isHex(s string, n int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == n && hex.EncodeToString(b) == s
}
