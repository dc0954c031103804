// Package metrics exports a server's counters to Prometheus, under names that all programs of this
// project share. docs/deploy.md lists them.
//
//	collector := metrics.NewCollector(server.Stats)
//	http.Handle("GET /metrics", metrics.Handler(collector))
//
// A program with a registry of its own registers the Collector there. A scrape adds up what the
// server's sockets have counted: it costs microseconds, and nothing on the packet path.
package metrics
