// Package behaviour judges each datagram of a session that has passed tag and replay, once: how many
// there are, how long they are, and how many state changes they ask for. It computes in integers,
// does not allocate, and takes the time as an argument.
//
// State changes are the actions that a datagram asks for; the game counts them. They are summed
// over a sliding Window:
//
//	0 … Flag … Limit … Revoke …        by default 256, 400 and 480 within 1 s
//	│   │      │       └ the session ends, unless the path may have delayed that many (credit.go)
//	│   │      └ the datagram is dropped, its state changes still count
//	│   └ recorded, once until the count is back at half of Flag
//	└ allowed
//
// Limits are what a policy.BehaviourConfig means for the datagrams of a session. A server makes them
// once, and all of its sessions share them.
package behaviour
