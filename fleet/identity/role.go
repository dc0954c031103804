package identity

import "strings"

// Role is what a service is for. The zero value is no role, which may do nothing. The numbers are
// not stable between releases; the labels are.
type Role uint8

const (
	NoRole      Role = iota
	Matchmaking      // puts players into matches
	GameState        // a match server
	Leaderboard      // keeps results
	Auth             // signs players in and out
	Analytics        // reads figures, and nothing about a player
	Operator         // a person's program, or what acts for one
	Broker           // a NATS server
	numRoles
)

var roles = [numRoles]string{"none", "matchmaking", "game-state", "leaderboard", "auth", "analytics", "operator", "broker"}

// String returns the name of the role as it stands in a SPIFFE id; "none" for no role and for a
// value that does not exist.
func (r Role) String() string {
	if r >= numRoles {
		return roles[NoRole]
	}
	return roles[r]
}

// Path returns the path of a SPIFFE id that has the role: /role/<name>, and behind it the parts that
// tell services of one role apart.
func (r Role) Path(parts ...string) string {
	return strings.Join(append([]string{"/role", r.String()}, parts...), "/")
}

// roleOf returns the role that a path gives, NoRole if it gives none.
func roleOf(path string) Role {
	rest, ok := strings.CutPrefix(path, "/role/")
	if !ok {
		return NoRole
	}
	name, _, _ := strings.Cut(rest, "/")
	for r := NoRole + 1; r < numRoles; r++ {
		if roles[r] == name {
			return r
		}
	}
	return NoRole
}
