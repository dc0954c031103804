// Package audit names the reasons of refusals, counts them, and records trust decisions.
//
// Counters are for every datagram; events are for decisions: one when a session is admitted,
// refused, renewed, moved, revoked or ends, not one for each datagram that follows from it. A Sink
// takes events and never blocks: the decision stands whether or not it can be recorded (fail open),
// and lost events are counted. To fail closed, stop admitting when JSON.Lost increases.
//
//	Event → Tee ─┬→ JSON    a file: queue, one goroutine, one call of the writer a line
//	             ├→ Recent  the newest lines in memory, for a status page
//	             └→ Log     few lines for a person, by log/slog
//
// # Lines
//
// There is one schema: a line is one JSON object, an event of OCSF, the Open Cybersecurity Schema
// Framework, version 1.8.0. It begins with two members that OCSF does not define, so that grep
// '"decision":"revoke"' is enough:
//
//	decision  as in the table below; absent in a line that holds a tally only
//	reason    label of the Drop; absent for DropNone
//
// A consumer that refuses attributes it does not know leaves these two out; nothing is lost, since
// OCSF's attributes say the same. What happens to a player's session is Authentication (class
// 3002), what happens to the server is Network Activity (class 4001), and what a service of the fleet
// asks of the server is API Activity (class 6003). type_uid is class_uid · 100 + activity_id,
// category_uid is class_uid / 1000.
//
//	decision      class_uid  activity_id, _name  severity_id      status_id  disposition_id
//	accept        3002        1 Logon            1 informational  1 success   1 allowed
//	reject        3002        1 Logon            2 low            2 failure  26 unauthorized
//	step up       3002       99 step up          2 low            0 unknown  99 step up
//	flag          3002       99 flag             2 low            0 unknown  15 detected
//	revoke        3002        2 Logoff           3 medium         1 success  24 access revoked
//	resume        3002       99 resume           1 informational  1 success   1 allowed
//	renew         3002       99 renew            1 informational  1 success   1 allowed
//	migrate       3002       99 migrate          1 informational  1 success   1 allowed
//	replace       3002       99 replace          1 informational  1 success  17 logged
//	close         3002        2 Logoff           1 informational  1 success  17 logged
//	ban           3002       99 ban              3 medium         1 success  24 access revoked
//	lift          3002       99 lift             1 informational  1 success   1 allowed
//	withdraw      3002       99 withdraw         3 medium         1 success  24 access revoked
//	key rotation  4001       99 key rotation     1 informational  1 success  17 logged
//	flood         4001        5 Refuse           3 medium         2 failure   2 blocked
//	alarm         4001       99 alarm            4 high           0 unknown  19 alert
//	operate       6003       99 operate          1 informational  1 success   1 allowed
//	deny          6003       99 deny             3 medium         2 failure  26 unauthorized
//
// An operate with an unmapped.cause was permitted and has failed: its status_id is 2.
//
// Ban, lift and withdraw are what the operator or the match has decided, one line each, whether or
// not a player whom it concerns is here; each session that it ends has a line of its own.
//
// The other attributes; those without a value are left out:
//
//	time                      Unix time in milliseconds
//	status_code               label of the Drop
//	status_detail             Drop.Describe
//	message                   Event.Detail                                    text
//	user.uid                  pseudonym of the subject: 32 hex digits of HMAC-SHA256(key, "subject" ‖ 0 ‖ subject)
//	user.name                 "unknown" where there is no subject
//	user.domain               issuer, as configured or claimed                text
//	user.credential_uid       pseudonym of the token id: likewise, with "token"
//	session.uid               session id, decimal
//	actor.user actor.session  the same two in class 4001, if there is a player (profile "host")
//	actor.app_uid             in class 6003: Event.Actor, "unknown" without one  text
//	api.operation             in class 6003: Event.Operation, likewise        text
//	src_endpoint.name         network of the peer, at most /24 or, for IPv6, /56: never an ip
//	dst_endpoint.svc_name     "Sallyport"
//	metadata.version          "1.8.0"
//	metadata.product          name and vendor_name "Sallyport", version       text
//	metadata.profiles         "security_control", to which dispositions belong
//	metadata.correlation_uid  trace id of W3C Trace Context: that of the exchange with the client that has caused the
//	                          line, or by which the session came to its connection; see transport.Exchange
//	metadata.sequence         number of the line in its chain, from 1
//	disposition               name of disposition 99
//	unmapped.scope            the match                                       text
//	unmapped.platform         as the client states it                         text
//	unmapped.build            likewise                                        text
//	unmapped.cause            Event.Cause: the check that has refused
//	unmapped.part             part of the fingerprint that differs            text
//	unmapped.previous         network before a migration, like src_endpoint.name
//	unmapped.suppressed       events since the previous line that exceeded their share
//	unmapped.lost             events since the previous line that the queue or the writer did not take
//	unmapped.chain            how the line is linked to the previous one: package audit/chain
//
// Text has at most 128 bytes. Characters that do not print are replaced by U+FFFD, and JSON escapes
// the rest, so that no viewer takes it for a line or for an escape sequence.
//
// Lines, suppressed and lost add up to the events recorded; a last line with the two counts alone,
// a Base Event (class 0, activity 0, message "tally"), is written by Close if one is needed. A
// chain has Base Events of its own, the heads "chain begin", "chain mark" and "chain end". No line
// holds a token, a key, an address or a player's id in clear; whoever holds the key can find a
// known player's lines, and nobody can once it is gone.
//
// # Chains
//
// With JSONConfig.Chain each line has the hash of the line before, and signed heads stand between
// them, so that a reader of the file or of a SIEM sees what was changed, removed or added: package
// audit/chain verifies them, and says how far that goes.
package audit
