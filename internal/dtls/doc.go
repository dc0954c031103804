// Package dtls is a DTLS 1.2 server that a tick can drain. It knows nothing of sessions: its user
// is told when a connection's keys are there, what a record has carried, and when the peer has
// ended the connection.
//
//	Endpoint    one UDP port: its shards, and what handshakes take of all of them
//	Shard       one socket and the connections on it, in these parts
//	  Table       finds connections: by address, by connection id
//	  Handshakes  half-open handshakes: who may begin one, and who makes room
//	  Out         the outbox: what is sealed goes out in batches
//	  mailbox     what has happened elsewhere, for the next turn
//	  forwarding  datagrams that the kernel gave to another shard
//	  greetings   ClientHellos that wait until peers are served
//	Conn        a connection: keys and address; its user embeds it
//
// The way of a datagram, from Shard.Turn down:
//
//	Shard.Datagram     size; where peers are first, what begins a handshake waits for Shard.Greet
//	 → Shard.route       the connection and the half-open handshake at its address
//	   → Shard.roamed      its connection id names another connection, or another shard
//	   → Shard.unlisted    nobody has the address: a ClientHello, a connection id, or nothing
//	   → HalfOpen.deliver  the engine, or keys that wait for key confirmation
//	   → Conn.records      each record is opened in place, by the connection or its former one
//	       → ConnUser.Handle   the plaintext
//
// A shard belongs to whoever runs its turn; its outbox has a lock, its mailbox and its counters are
// for everybody. What a datagram needs allocates nothing and takes no lock that two shards share.
package dtls
