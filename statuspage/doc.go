// Package statuspage shows a match server in a browser: its players, what it drops and refuses, its
// handshakes and sockets, and each trust decision as it is taken. It is one HTML file without a
// build step, which loads nothing from any other server. Four lines in a program that has a
// transport.Server:
//
//	recent := audit.NewRecent(1000) // in transport.Config.Audit
//	page, err := statuspage.Handler(statuspage.Config{Server: server, Events: recent})
//	l, err := net.Listen("tcp", "127.0.0.1:7780")
//	go statuspage.NewServer(page).Serve(l)
//
// It serves
//
//	GET  /         the page
//	GET  /state    one JSON object: counters, up to 200 players, and up to 200 bans in force
//	GET  /events   Server-Sent Events: a JSON line of package audit for each decision, first those
//	               that are kept, then new ones as they come; "event: lost" says how many a slow
//	               reader has missed
//	GET  /metrics  Config.Metrics, such as that of package metrics
//	GET  /live     200, or 503 once the server has stood still for 30 s or is closed: restart it
//	GET  /ready    200, or 503 if the server takes no turn within a second: send it no players
//	POST /revoke   {"session": 7}
//	               {"subject": "alice", "issuer": "https://id.example.com"}
//	               {"token_id": "4f…", "issuer": "https://id.example.com"}
//	               answers {"ended": 1}: how many sessions that were; see transport.Server.Revoke
//	POST /ban      {"session": 7} or {"subject": "alice", "issuer": "…"}, and "for": "24h"; without
//	               "for" until it is lifted. "reason": 130 is what the player is told, 13 (revoked)
//	               without, and "note": "spam" is for the audit and /state, at most 64 bytes.
//	               Answers {"ended": 1}; see session.Ban and transport.Server.Ban
//	POST /lift     {"subject": "alice", "issuer": "…"}; answers {"lifted": true}
//
//	curl -H 'Sallyport-Admin: x' -H 'Content-Type: application/json' -d '{"session": 7}' http://127.0.0.1:7780/revoke
//
// # Who may do what
//
// There are no passwords. Requests to a loopback address of this machine or a Unix socket are
// answered, others only with Config.Remote, except for /live and /ready, which tell nothing else.
// The three POSTs exist only with Config.Authorize, which is asked each time. Players are shown by
// the pseudonyms that the audit gives them, and by name with Config.Names.
//
// A web page that an operator has open elsewhere can neither read nor act:
//
//   - The Host of a request must be an IP address, localhost or one of Config.Hosts, so a name that
//     was made to resolve to this machine (DNS rebinding) reads nothing.
//   - A POST must be of type application/json and carry the header Sallyport-Admin, which a page
//     from elsewhere may send only after a preflight that nobody answers. Origin and
//     Sec-Fetch-Site, when sent, must be our own.
//   - The page may not be framed, so nobody can be made to click a button of it.
//
// What players state of themselves is shown as text and never as HTML. The Content-Security-Policy
// admits the page's own script and style by their hashes, and Trusted Types close the functions
// that would turn text into HTML.
package statuspage
