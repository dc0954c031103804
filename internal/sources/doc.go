// Package sources bounds the handshakes that addresses may begin before they have proven anything.
// It computes in integers and takes the time as an argument. Sources and LiveAddresses are safe for
// concurrent use; neither grows.
//
//	Sources        handshakes of a source prefix: /24 of IPv4, /64, /56 and /48 of IPv6
//	LiveAddresses  one more handshake for each address at which a session lives, or has lately
//	Claim          the part of one handshake in either, until its cookie has come back
//
// A token bucket is kept as one instant: when it would be full again if nothing more were taken
// (internal/bucket). A full bucket equals a forgotten one, so Sources forgets a source that was
// quiet for one window at no loss.
package sources
