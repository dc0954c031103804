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
	ok := fromHex(make([]byte, auditchain.IDLen), parsed.chain)
	if parsed.link.Previous != "" {
		ok = fromHex(parsed.previous[:], parsed.link.Previous) && ok
	}
	if after := parsed.link.After; after != nil {
		ok = ok && fromHex(make([]byte, auditchain.IDLen), after.ID) && after.ID != parsed.chain && after.Sequence > 0 && parsed.link.Previous != ""
	}
	return parsed, ok
}

// fromHex reports whether s is len(to) bytes in lower-case hex digits, and reads them into to.
func fromHex(to []byte, s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && copy(to, b) == len(b) && len(b) == len(to) && hex.EncodeToString(b) == s
}
