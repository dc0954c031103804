// Package metrics gives Prometheus what an operator of a fleet needs beyond a server's counters:
// how long players wait, how good their lines are, how old a server's knowledge of revocations is,
// and when certificates expire. The counters are those of the library's package metrics, and both
// are registered together:
//
//	OnExchange ──────────▶ handshake, sign-in, verification, renewal, resume ─┐
//	ObservePoll ─────────▶ a turn of the match's loop                         │
//	Run, Server.Visit ───▶ round trip, jitter, loss of a sample of players    ├─▶ Collect ─▶ scrape
//	RevocationApplied ───▶ delay from publication to force                    │
//	Config.Revocations ──▶ age, gap and clock of each publisher, when scraped │
//	AdminCall ───────────▶ calls of the admin API                             │
//	Config.Certificates ─▶ expiry, when scraped ──────────────────────────────┘
//
//	m, err := metrics.New(metrics.Config{Revocations: feed.Status})
//	config.OnExchange = m.Exchange
//	server, err := transport.Listen(":7777", config)
//	go m.Run(ctx, server)
//	http.Handle("GET /metrics", base.Handler(base.NewCollector(server.Stats), m)) // base: the library's metrics
//
// No label has a player, a session, an address, or anything that a client has sent. How many series
// there are depends on the configuration, and not on the players: a scrape looks at none of them.
// docs/deploy.md lists the names. deploy/ has rules, alerts and a dashboard for them.
package metrics
