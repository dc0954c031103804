// Package revocation makes one ban, one logout and one used token count on every server of a fleet.
//
//	Publisher ── signs, keeps on its disk ──▶ Carrier ──▶ Subscriber ── verifies ──▶ Sink, a transport.Server
//	   records → segments of up to 1,024       live: segments, heads; lost, it is read from the state
//	   each second a head: how far it goes     state: every segment that is in force
//	   from its disk again, until the longest  ◀── ask: challenges, which the next head answers
//	   token has expired
//
// A [Feed] joins one match server to its fleet. Package natscarrier carries over NATS, package
// revocationtest in memory, with faults that a test chooses.
//
// # What a carrier can do
//
// A Carrier is not trusted. Everything is signed with the publisher's Ed25519 key, numbered
// and chained, so that a broker that loses, repeats, reorders, forges, rolls back or empties what
// it was given un-revokes nobody and revokes nobody. It can only delay, for up to
// SubscriberConfig.Stale: from then on [Mode] says what the server does. Records take effect as
// they arrive, whatever is missing before them. Missing ones are read from the stored state, which
// publishers refill from their disks, after 150 ms and then with a back-off of up to 2 s. Live
// segments are repeated with the next three heads.
//
// A server that starts compares clocks with the publishers that answer within half a second, and
// reads the whole state. 100,000 records are in force after 0.2 s, at 30 to 60 bytes each, with one
// signature for each 1,024. A million at once take some seconds. Where the server has no room for
// all (session.Config.MaxRevocations), Status.Full is set and Mode applies until it has room; it
// tries again after a minute, and then less often.
//
// # How old the knowledge is
//
// PublisherStatus.Age means that everything that the publisher had signed up to that long ago is in force here.
// A head names the last record and the chain behind it, and how long its publisher has run, by a clock that
// never steps. A subscriber sends a challenge, 8 random bytes, and the head that repeats it was signed after
// that. A later head of the same epoch was signed as much later as the publisher's clock says, give or take the
// speed of two clocks, which is measured anew each minute. So no delay and no repetition makes Age lower, and
// it does not matter what time of day either end takes it to be. Age is a few milliseconds to two seconds where
// nothing is wrong. The wall clocks are compared with each head, too: a difference of over 30 s is an alarm,
// and the time up to which a subject's tokens are revoked is moved by it, since issuers' and servers' clocks
// agree.
//
// # Epochs
//
// An epoch is one run of a publisher. It begins with a number higher than those before, the Unix time
// in microseconds, and its records go on behind those that the store has. A head lists epochs that
// its history went through, and the number at which each begins. If a publisher has lost its store, or
// has an older copy of it, what servers have in force stays so until its own end, and their positions
// go back to where the new history parts from the old one. A publisher takes from the carrier's state
// what it has signed and lost: when it starts, and, if the carrier cannot be asked then, before it
// stores anything there. In the latter case it publishes these records again, with new numbers and the
// Times that they had.
//
// # Bans and lifts
//
// Of one publisher's records no two have the same Time, and a later one has a later Time in every
// epoch. One that is published again keeps its Time, and is the same record. A lift ends the bans of
// its own publisher with an earlier Time, or those of another publisher up to the Time that it names.
// Therefore the order in which records come does not matter: an old lift, whenever it is repeated,
// ends no newer ban, and a ban that was lifted does not come back. Several publishers' bans hold
// independently of each other, and of those that a server was given by itself (transport.Server.Ban).
// A lift is kept for ever unless it says otherwise: set its Until no earlier than the end of the ban.
//
// While a server starts, lifts wait until the whole state has been read: only then is it known which
// bans still hold. And bans wait, for 5 s at most, until it has been read what their publisher has stored,
// and those with LiftAny: so a player who was lifted is not put out of a session that this server has
// taken over.
//
// # Messages
//
// Integers are big-endian. Uvarints are those of encoding/binary in the shortest form. A signature is
// Ed25519 (RFC 8032) over "sallyport v1 revocation", a zero byte, and SHA-256 of everything before the
// signature. A publisher's id is the first 8 bytes of SHA-256 of its public key. Times are Unix
// microseconds.
//
// A head:
//
//	offset size
//	     0    1  version, 1
//	     1    1  type, 1
//	     2    8  publisher
//	    10    8  epoch
//	    18    8  beat: number of the head in its epoch, from 1
//	    26    8  time, by the publisher's clock
//	    34    8  microseconds since the epoch began, by a clock that never steps
//	    42    8  number of the last record, 0 for none
//	    50   32  chain behind it
//	    82    1  flags: 1 the publisher ends
//	    83    1  number of epochs, 1 to 16
//	    84   16  of each, newest first: epoch (8), number at which it begins (8)
//	          1  number of challenges, 0 to 32
//	          8  of each: what it answers
//	         64  signature
//
// A segment:
//
//	offset size
//	     0    1  version, 1
//	     1    1  type, 2
//	     2    8  publisher
//	    10    8  epoch that has signed it
//	    18    8  number of its first record, from 1
//	    26    8  number behind its last record
//	    34   32  chain before it, 0 before record 1
//	    66   32  chain behind it
//	    98    1  flags: 1 merged of several, and without what was forgotten
//	    99       content
//	         64  signature
//
// The chain behind a segment that is not merged is SHA-256 of the chain before it and its content. A
// merged one has the chains of the first and the last that it was made of, and numbers may be missing.
// Content:
//
//	size
//	   1  number of issuers
//	      of each: length 2, 1 to 256 bytes
//	   2  number of records, up to 1,024
//	      records
//
// A record:
//
//	size
//	   1  kind (4 bits): 1 subject, 2 token, 3 sign-in, 4 key, 5 build, 6 session, 7 ban, 8 lift, 9 used;
//	      16 the value is a UUID, 32 there is an Until, 64 there is an IssuedBy or Of,
//	      128 the IssuedBy is by the publisher's clock, as the time is
//	      uvarint: number, less that of the record before or of the one before the segment
//	      uvarint: time, less that of the record before or 0
//	      uvarint, with 32: Until, Unix seconds
//	   1  kinds 1 to 4, 7 and 8: which issuer, from 0
//	      kinds 1 to 5, 7 and 8: uvarint length 1 to 256 and value; or, with 16, the 16 bytes of a UUID
//	      that is written in lower case
//	  16  kinds 6 and 9: id
//	      kind 1, with 64, uvarint: IssuedBy
//	   1  kind 7: close reason
//	      kind 7: length 1 and note of up to 64 bytes
//	   8  kind 8, with 64: publisher whose bans end
//	      kind 8, with 64, uvarint: up to which time
//	   1  kind 9: 1 token, 2 ticket, 3 session, 4 network, as session.UsedKind
//	   1  kind 9: close reason
//	      kind 9, uvarint: session epoch
//
// A challenge:
//
//	offset size
//	     0    1  version, 1
//	     1    1  type, 3
//	     2    8  random
//
// A message of another version or with a byte left over is ignored, and none has more than 262,144
// bytes.
package revocation
