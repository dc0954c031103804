// Package fingerprint judges whether a client is still the one that was admitted. It does not
// allocate. Methods and functions here only read, so they are safe for concurrent use while nothing
// writes their arguments.
//
// A session is bound to the Fingerprint that it began with. Digest detects a change cheaply, Judge
// compares part by part and returns the action that a policy.FingerprintConfig sets for it, and
// Prefix returns the network of an address. Judge a datagram after the check of tag and replay
// window: a sender that cannot forge a datagram of the session must not be able to end it.
package fingerprint
