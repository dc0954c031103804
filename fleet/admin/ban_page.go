package admin

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/sallyport/sallyport/session"
)

// banPlace is where a ban stands in the list: those that end first before others, and those that end
// together in an order that tells nothing of their names. It stays the same while the API serves,
// whatever is added or lifted.
type banPlace struct {
	end  uint64 // Unix s; 1<<63 for a ban without an end
	name uint64 // digest of the player
	n    uint32 // of those that are alike so far, such as without a name: how many stand before
}

// compare orders places.
func (p banPlace) compare(o banPlace) int {
	return cmp.Or(cmp.Compare(p.end, o.end), cmp.Compare(p.name, o.name), cmp.Compare(p.n, o.n))
}

const placeLen = 20

// String returns a place as the parameter after has it.
func (p banPlace) String() string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, placeLen), p.end)
	b = binary.BigEndian.AppendUint64(b, p.name)
	return hex.EncodeToString(binary.BigEndian.AppendUint32(b, p.n))
}

// parsePlace reads what String returns.
func parsePlace(s string) (p banPlace, ok bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != placeLen {
		return p, false
	}
	p = banPlace{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])}
	return p, p.String() == s
}

// placed is a ban and its place.
type placed struct {
	session.Ban
	at banPlace
}

// order puts bans into the order of their places.
func (a *api) order(bans []session.Ban) []placed {
	list := make([]placed, 0, len(bans))
	for _, b := range bans {
		digest := sha256.Sum256(slices.Concat(a.names[:], []byte(b.Issuer), []byte{0}, []byte(b.Subject)))
		list = append(list, placed{b, banPlace{end: end(b), name: binary.BigEndian.Uint64(digest[:])}})
	}
	slices.SortFunc(list, func(x, y placed) int {
		return cmp.Or(x.at.compare(y.at), cmp.Compare(x.Reason, y.Reason), cmp.Compare(x.Note, y.Note))
	})
	for i := 1; i < len(list); i++ {
		if before := list[i-1].at; before.end == list[i].at.end && before.name == list[i].at.name {
			list[i].at.n = before.n + 1
		}
	}
	return list
}
