// Package wire turns bytes into envelopes and bodies, and back, exactly as PROTOCOL.md says.
//
// One DTLS application-data record holds one envelope: a header of 18 bytes, then the body.
// Integers are big-endian.
//
//	offset size
//	     0    1  version and kind: version in the high 4 bits, kind in the low 4
//	     1    1  flags and epoch: six flag bits, all zero; token epoch modulo 4 in the low 2
//	     2    4  session id
//	     6    4  sequence: its low 32 bits
//	    10    8  tag
//	    18       body, 0 to 1145 bytes
//
// The kind determines the body. Each has a file here, and its type's comment draws the bytes:
//
//	HELLO   1  [Hello], in parts     PONG    7  [Pong]
//	WELCOME 2  [Welcome]             CLOSE   8  [CloseBody]
//	DATA    3  the payload itself    BEARER  9  [BearerBody]
//	RENEW   4  [Renew], in parts     NOTICE 10  [NoticeBody]
//	RENEWED 5  [Renewed]             FRAMES 11  [Frame], one or more
//	PING    6  [Ping]
//
// The body of HELLO and of RENEW may be longer than a datagram. It is sent in parts, each a [Part],
// which an [Assembler] puts together again.
//
// Parse functions check form alone; the session's machines authenticate the sender and decide
// whether the datagram counts. They borrow: byte slices in a result are part of the input and live
// as long as it does. AppendTo extends dst and returns it; it does not validate, so a caller keeps
// to the limits in limits.go. Neither allocates, beyond the growth of dst. All functions are safe
// for concurrent use; an Assembler has one owner.
package wire
