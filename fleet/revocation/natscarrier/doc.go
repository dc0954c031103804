// Package natscarrier carries signed revocations over NATS, and keeps in JetStream what a server
// starts from.
//
//	publisher                    NATS, a cluster of three                     match server
//	  Publish ── core NATS ────▶ sallyport.live.<name> ─────────────────────▶ Subscribe
//	  Subscribe ◀─────────────── sallyport.ask.<name> ◀───────── core NATS ── Publish
//	  Store ─── JetStream ─────▶ stream SALLYPORT,
//	                             sallyport.state.<publisher>.<first> ───────▶ Load
//
// NATS is not the source of truth: the publishers, who sign, are. A NATS server that loses writes,
// forges, is rolled back or emptied can delay what was published; it cannot take anything back.
//
// # When servers are gone
//
// A Carrier connects in the background and for as long as it is open, to whichever server answers,
// at most 250 ms after the last one was tried. A connection on which nothing comes is given up after
// 3 s. What cannot be sent while there is no connection is an error, and is not sent later.
//
// Live messages need no leader. Neither does Load: any replica answers it (a direct get, ADR-31), and
// it makes no consumer that could be left behind. Store needs JetStream's leader, which is replaced
// within some ten seconds when it is gone.
//
// # Permissions
//
// Permissions prints what NATS has to allow a process: to publish under its own name and as its own
// publisher, to hear everybody, and to read the stored state. Only a central publisher may make the
// stream.
package natscarrier
