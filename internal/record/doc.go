// Package record protects DTLS 1.2 records of epoch 1 with AES-GCM: what is left of a connection
// once a handshake engine has negotiated its keys (RFC 5246 6.3, RFC 5288, RFC 6347 4.1). Any DTLS
// 1.2 peer that speaks one of the four suites understands it. One datagram may carry several
// records:
//
//	offset size
//	     0    1  content type: 21 alert, 22 handshake, 23 application data
//	     1    2  version, 0xfefd
//	     3    2  epoch, 1
//	     5    6  record number, from 0, never reused
//	    11    2  length of the rest: 8 + n + 16
//	    13    8  explicit nonce
//	    21    n  ciphertext
//	  21+n   16  tag
//
// The nonce of a record is the sender's write IV (4 bytes) and the explicit nonce:
//
//	epoch 1 (2 bytes) ‖ record number (6 bytes)               until a connection id is set
//	connection id (4) ‖ low 32 bits of the record number      afterwards
//
// Neither is random and the record number never restarts, so none repeats. The additional data is
// epoch ‖ record number ‖ type ‖ version ‖ n, 13 bytes.
//
// Open checks the replay window first, then authenticates the record, and updates the window last:
// a record that does not open changes nothing but a counter. There is no renegotiation, no other
// epoch, and no answer to a bad record (RFC 6347 4.1.2.7).
package record
