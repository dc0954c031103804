// Package identity holds what an identity token says about a player beyond the player's name: user
// name, groups, and the claims that a profile keeps. A ticket has room for a part of it only, so
// every question has three answers: present, absent, and unknown.
//
// It is kept as bytes, as tickets and snapshots have them (docs/fleet.md 8.1), and read when somebody
// asks. An item:
//
//	offset size
//	     0    1  what: 1 user name, 2 groups, 3 claim
//	     1       of a claim its name: length 1 and value
//	             value
//
// A value is its kind (1) and what belongs to it: 0 the token has no such claim; 1 text, length 2 and
// value; 2 number, IEEE 754 in 8 bytes; 3 false; 4 true; 5 list, count 1 and texts of length 2 and
// value each.
//
// Items stand in the order of what they are, and of the names in the profile. What has no item is
// unknown.
package identity
