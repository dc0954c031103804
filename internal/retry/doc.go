// Package retry is the proof of address that a server asks for before it keeps anything of a
// handshake (PROTOCOL.md 9.10): two messages of Sallyport's own beside DTLS, whose first byte no
// record has (RFC 7983).
//
//	client                                server
//	ClientHello                     ─►    no room for a stranger
//	                                ◄─    RETRY: a token, and the ClientHello's random
//	RETURN: token, ticket, ClientHello ─► the token is the address's: it has room of its own
//	                                ◄─    HelloVerifyRequest, as ever
//
// A Minter makes and checks tokens with the Keys that all shards of a process share. It remembers
// nothing of anybody: a token is a time and a MAC over address, port, time and the ClientHello's
// random.
package retry
