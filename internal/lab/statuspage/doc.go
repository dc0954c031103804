// Package statuspage lets anyone who may look watch a match in a browser, and lets an operator on the same machine
// revoke a player. It is one HTML file without a build step, which asks nobody but the server that it came from.
//
//	GET  /        the page
//	GET  /state   one JSON object: State
//	GET  /events  Server-Sent Events: a JSON line of package audit for each decision, first those that are kept, then
//	              new ones as they come; "event: lost" says how many a slow reader has missed
//	POST /revoke  {"session": 7}
//	              {"subject": "alice", "issuer": "https://id.example.com"}
//	              {"token_id": "4f…", "issuer": "https://id.example.com"}
//	              answers {"revoked": 1}: how many live sessions it has ended; issuer may be missing where the server
//	              has only one; transport.Server.Revoke says how long that holds
//
//	curl -H 'Sallyport-Admin: revoke' -H 'Content-Type: application/json' -d '{"session": 7}' http://127.0.0.1:7780/revoke
//
// # Who may do what
//
// There are no passwords: whoever reaches the address may look. Names of players are shown, and revocation exists, only
// with Config.Admin, which is for a server that listens on a loopback address. Then whoever may log in to the machine
// is an operator. A web page that the operator has open elsewhere is not:
//
//   - the Host must be a loopback one, so a name that was made to resolve to this machine (DNS rebinding) reads nothing;
//   - a revocation must be of type application/json and carry the header Sallyport-Admin, which a foreign page may send
//     only after a preflight that nobody answers; Origin and Sec-Fetch-Site, when sent, must be our own;
//   - the page may not be framed, so nobody can be made to click a button of it.
//
// What players state of themselves is shown as text and never as HTML. The Content-Security-Policy admits the page's own
// script and style by their hashes, and Trusted Types close the functions that would turn text into HTML.
package statuspage
