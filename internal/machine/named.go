package machine

import (
	"hash/maphash"

	"github.com/sallyport/sallyport/session"
)

// namedBy counts the live sessions by the ids of their newest identity token and its sign-in, so that
// a feed of revocations which concern nobody here need not look at every session. It may count one too
// many, where two names collide.
type namedBy struct {
	seed   maphash.Seed
	counts map[uint64]uint32
}

func newNamedBy() namedBy { return namedBy{maphash.MakeSeed(), make(map[uint64]uint32)} }

// name is what a session is counted by.
type name struct {
	kind          session.RevocationKind
	issuer, value string
}

// add counts a session that has begun (1) or ended (-1) with these names.
func (b *namedBy) add(issuer string, n *names, by int) {
	if n == nil {
		return
	}
	for _, of := range [...]name{{session.RevokeToken, issuer, n.token}, {session.RevokeSignIn, issuer, n.signIn}} {
		if of.value == "" {
			continue
		}
		key := maphash.Comparable(b.seed, of)
		if count := b.counts[key] + uint32(by); count == 0 {
			delete(b.counts, key)
		} else {
			b.counts[key] = count
		}
	}
}

// has reports whether there may be sessions that r concerns.
func (b *namedBy) has(r *session.Revocation) bool {
	if r.Kind != session.RevokeToken && r.Kind != session.RevokeSignIn {
		return true
	}
	return b.counts[maphash.Comparable(b.seed, name{r.Kind, r.Issuer, r.Value})] > 0
}
