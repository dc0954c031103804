package identity

import (
	"math"
	"slices"
)

// State is what is known of a claim.
type State uint8

// The states of a claim.
const (
	Unknown State = iota // a token may have it, and neither ticket nor snapshot had room for it
	Absent               // the token has none
	Present
)

// String returns the state as a word.
func (s State) String() string {
	switch s {
	case Absent:
		return "absent"
	case Present:
		return "present"
	}
	return "unknown"
}

// Identity is what the newest identity token of a session says about its player. It does not change.
// The zero value knows nothing.
//
// After a session has been resumed by its ticket on another server, or restored from a snapshot,
// some of it is unknown until the next renewal: about 160 bytes are handed on. So every method takes
// what it returns in that case. Do not refuse a player for what is unknown.
type Identity struct{ items string }

// Of returns the identity in verified claims: custom has the values of claims by name, and kept
// names those that are absent unless custom has them. A nil value in custom is unknown, and so is
// what no item has room for. An empty user is absent.
func Of(user string, groups []string, custom map[string]any, kept []string) Identity {
	var b []byte
	if len(user) <= math.MaxUint16 {
		b = appendText(append(b, whatUser), user)
	}
	switch {
	case len(groups) == 0:
		b = append(b, whatGroups, kindAbsent)
	case listable(groups):
		b = appendList(append(b, whatGroups), groups)
	}
	for _, name := range kept {
		b = appendClaim(b, name, custom)
	}
	return Identity{string(b)}
}

// Parse returns the identity that Bytes has written. It reports false for anything else.
func Parse(b string) (Identity, bool) {
	r := newReader(b)
	for last := uint8(0); r.more(); {
		i := r.item()
		r.Require(i.what >= max(last, whatUser) && i.what <= whatClaim && (i.what > last || i.what == whatClaim))
		last = i.what
	}
	return Identity{b}, r.Done()
}

// Bytes returns the items of an identity. Like Part and Nobody it is no method, because users of
// package session see those.
func Bytes(i Identity) string { return i.items }

// Part returns the identity with those items that fit limit bytes, first come, first served. The
// others are unknown in it.
func Part(i Identity, limit int) Identity {
	if len(i.items) <= limit {
		return i
	}
	var b []byte
	for r := newReader(i.items); r.more(); {
		from := len(i.items) - len(r.Left())
		r.item()
		if item := i.items[from : len(i.items)-len(r.Left())]; len(b)+len(item) <= limit {
			b = append(b, item...)
		}
	}
	return Identity{string(b)}
}

// Nobody reports whether nothing in the identity is present: then it is equal for all such players.
func Nobody(i Identity) bool {
	for r := newReader(i.items); r.more(); {
		if r.item().Claim.state == Present {
			return false
		}
	}
	return true
}

// UserName returns the name by which the player signs in. It may change hands: Session.Subject is
// the player.
func (i Identity) UserName() Claim { return i.find(whatUser, "") }

// Claim returns the claim of the token's that token.Profile.Keep names. It is unknown if the profile
// does not keep it.
func (i Identity) Claim(name string) Claim { return i.find(whatClaim, name) }

// Groups returns the groups that the player is in, or unknown if they are not known. The slice is
// the caller's.
func (i Identity) Groups(unknown []string) []string {
	return i.find(whatGroups, "").Texts(nil, unknown)
}

// InGroup reports whether the player is in a group; it returns unknown if that is not known.
func (i Identity) InGroup(name string, unknown bool) bool {
	c := i.find(whatGroups, "")
	if c.state == Unknown {
		return unknown
	}
	return slices.Contains(c.Texts(nil, nil), name)
}

// find returns the first item with this name.
func (i Identity) find(what uint8, name string) Claim {
	for r := newReader(i.items); r.more(); {
		if it := r.item(); it.what == what && it.name == name && !r.Bad() {
			return it.Claim
		}
	}
	return Claim{}
}
