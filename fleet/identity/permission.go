package identity

import "strings"

// Permission is one thing that a service may do. The numbers are not stable between releases; the
// labels are.
type Permission uint8

const (
	ReadSessions       Permission = iota + 1 // see who plays, by pseudonym
	ReadNames                                // see and look for players by name, too
	ReadStats                                // see a server's figures, nothing of them about a player
	ReadMetrics                              // the same for Prometheus
	Revoke                                   // withdraw trust from a player's tokens, a token, sign-in, key, build or session
	Kick                                     // end a session
	Ban                                      // keep a player out, and lift that
	Drain                                    // have a server admit nobody new
	ReadKeys                                 // see ids and ages of fleet keys, never the keys
	RotateKeys                               // make fleet keys and hand them out, sealed to each server
	ReceiveKeys                              // get fleet keys
	PublishUsed                              // tell the fleet what was used up on this server
	PublishRevocations                       // tell the fleet whom and what it must refuse
	Subscribe                                // hear both
	numPermissions
)

var permissions = [numPermissions]string{
	"none", "read sessions", "read names", "read stats", "read metrics", "revoke", "kick", "ban", "drain",
	"read keys", "rotate keys", "receive keys", "publish used", "publish revocations", "subscribe",
}

// String returns the label of the permission; "none" for a value that does not exist.
func (p Permission) String() string {
	if p >= numPermissions {
		return permissions[0]
	}
	return permissions[p]
}

// Permissions is a set of Permission. The zero value is empty.
type Permissions uint32

// PermissionsOf returns the set of these.
func PermissionsOf(ps ...Permission) Permissions {
	var s Permissions
	for _, p := range ps {
		if p > 0 && p < numPermissions {
			s |= 1 << p
		}
	}
	return s
}

// Has reports whether p is in the set.
func (s Permissions) Has(p Permission) bool { return p > 0 && p < numPermissions && s>>p&1 == 1 }

// every is the set of all permissions.
const every = Permissions(1<<numPermissions - 2)

// String returns the labels, with commas between them; "none" for the empty set.
func (s Permissions) String() string {
	var labels []string
	for p := Permission(1); p < numPermissions; p++ {
		if s.Has(p) {
			labels = append(labels, p.String())
		}
	}
	if labels == nil {
		return permissions[0]
	}
	return strings.Join(labels, ", ")
}

// grants is the table of the package comment.
var grants = [numRoles]Permissions{
	Matchmaking: PermissionsOf(ReadStats, Subscribe),
	GameState:   PermissionsOf(ReceiveKeys, PublishUsed, Subscribe),
	Leaderboard: PermissionsOf(Subscribe),
	Auth:        PermissionsOf(Revoke, PublishRevocations, Subscribe),
	Analytics:   PermissionsOf(ReadStats, ReadMetrics),
	Operator: PermissionsOf(ReadSessions, ReadNames, ReadStats, ReadMetrics, Revoke, Kick, Ban, Drain, ReadKeys, RotateKeys,
		PublishRevocations, Subscribe),
}

// DefaultPermissions returns what a role may do where the Policy says nothing else.
func DefaultPermissions(r Role) Permissions {
	if r >= numRoles {
		return 0
	}
	return grants[r]
}
