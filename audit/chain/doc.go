// Package chain verifies chains of audit lines: that all lines are there, as they were written, and
// in which order. audit.JSONConfig.Chain makes a sink write one.
//
//	begin ◀── line ◀── line ◀── mark ◀── line ◀── end      an arrow is the hash of a whole line
//	  │                          │                 │
//	signed                    signed            signed      once a minute, and at the close
//
// # Lines
//
// A line of a chain is one of package audit with these additional attributes:
//
//	metadata.sequence             number of the line in its chain, from 1
//	unmapped.chain.id             of the chain: 32 hex digits, random
//	unmapped.chain.previous       SHA-256 of the line before, its exact bytes without the line feed, in hex
//	unmapped.chain.after          of a begin: id and sequence of the line that previous is the hash of;
//	                              absent, as previous is, where the writer does not know one
//	unmapped.chain.torn           of a begin: true where the line in the file before it may be cut off
//	unmapped.chain.head           of a head: "begin", the first line; "mark", one a minute; "end", the last
//	unmapped.chain.lost           of a head: events that the lines of the chain state as lost so far
//	unmapped.chain.key            of a head: the first 8 bytes of SHA-256 of the public key, in hex
//	unmapped.chain.signature      of a head: Ed25519 (RFC 8032), in hex
//
// A head is a Base Event of OCSF (class 0) with the message "chain begin", "chain mark" or "chain
// end"; its count is its sequence. What is signed is "sallyport audit head v1", a zero byte, and the
// line up to the comma before "signature". The signature is the last attribute of the line.
//
// Lines that the queue or the writer did not take are no lines of the chain: unmapped.lost of the
// next line states how many, as it does without a chain, and can no more be changed than the rest.
//
// # Chains
//
// A process begins a chain when it starts, and another one behind a line that the writer has
// refused. It has one key, so a chain has no heads of two. Files may be rotated in the middle of a chain. Two processes may append to one file:
// lines say which chain is theirs. A chain that names the line before it signs for that, too, so the
// lines of a process that was killed have a signature from when the next one starts.
//
// Whoever may write the files but has no key can change the lines since the last head, at most a
// minute of them, and all that a killed process has written since, until the next one starts.
// Whoever has the key, such as an intruder in the process, can write any history, but cannot change
// lines that another machine has received before.
//
// # In a SIEM
//
// Lines that a SIEM keeps as they were written can be verified from there, in any order (AnyOrder).
// Where a store rewrites JSON the hashes are lost, and only the count remains: in each chain the
// largest metadata.sequence is the number of its lines.
package chain
