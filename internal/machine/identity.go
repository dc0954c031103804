package machine

import (
	"sync"

	"github.com/sallyport/sallyport/internal/identity"
	"github.com/sallyport/sallyport/token"
)

// identityOf returns what a verified identity token says about its player. The claims of a ticket or
// a snapshot do not have it.
func identityOf(claims *token.Claims) identity.Identity {
	return identity.Of(claims.Username, claims.Groups, claims.Custom, claims.Kept)
}

// about returns what the token says about its player.
func (n *names) about() identity.Identity {
	if n.identity == nil {
		return identity.Identity{}
	}
	return *n.identity
}

// nobodies has the identities in which nothing is present, so that players of whom their tokens say
// nothing share one. There is about one for each list of claims that a profile keeps.
var nobodies struct {
	sync.Mutex

	// +checklocks:Mutex
	known map[identity.Identity]*identity.Identity
}

// maxNobodies bounds nobodies: a fleet may change the lists of its profiles.
const maxNobodies = 64

// keep returns a pointer to id, for a session to hold; nil if nothing is known.
func keep(id identity.Identity) *identity.Identity {
	if id == (identity.Identity{}) {
		return nil
	}
	if !identity.Nobody(id) {
		return &id
	}
	nobodies.Lock()
	defer nobodies.Unlock()
	kept, ok := nobodies.known[id]
	if ok {
		return kept
	}
	if nobodies.known == nil {
		nobodies.known = make(map[identity.Identity]*identity.Identity)
	}
	if len(nobodies.known) < maxNobodies {
		nobodies.known[id] = &id
	}
	return &id
}
