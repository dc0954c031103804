package metrics

import "github.com/prometheus/client_golang/prometheus"

// The metrics. Names and labels are stable; docs/deploy.md repeats them, and a test compares.
var (
	sessions        = describe("sallyport_sessions", "Live sessions.")
	sessionsPeak    = describe("sallyport_sessions_peak", "The most live sessions at once since the server began.")
	received        = describe("sallyport_datagrams_received_total", "Datagrams received.")
	sent            = describe("sallyport_datagrams_sent_total", "Datagrams sent.")
	drops           = describe("sallyport_drops_total", "Datagrams and requests refused, handshakes' too (docs/fleet.md, 11).", "reason")
	refusals        = describe("sallyport_refusals_total", "Players refused (docs/fleet.md, 11.2).", "cause")
	handshakes      = describe("sallyport_handshakes_total", "DTLS handshakes that completed or failed.", "result")
	handshakesBegun = describe("sallyport_handshakes_started_total", "DTLS handshakes begun, strangers' among them.")
	failures        = describe("sallyport_handshake_failures_total", "Failed DTLS handshakes (HandshakeStats.FailedBy).", "cause")
	retries         = describe("sallyport_retries_total", "Proofs of address: sent, returned, vouched by a ticket, wrong (RetryStats).", "event")
	sockets         = describe("sallyport_sockets", "UDP sockets that share the port.")
	receiveBuffer   = describe("sallyport_socket_receive_buffer_bytes", "Receive buffers of all sockets; 0 if unknown.")
	sendBuffer      = describe("sallyport_socket_send_buffer_bytes", "Send buffers of all sockets; 0 if unknown.")
	overflow        = describe("sallyport_socket_overflow_total", "Datagrams lost because the server did not take them in time.")
)

// tick is the histogram of Collector.ObserveTick.
var tick = prometheus.HistogramOpts{
	Name:    "sallyport_tick_seconds",
	Help:    "How long the match's ticks took, where the program observes them.",
	Buckets: []float64{.0005, .001, .002, .004, .008, .016, .033, .066, .133, .25, 1}, // to a tick of 128, 60, 30, 15 Hz
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// all is every metric with a description of its own; the histogram describes itself.
var all = []*prometheus.Desc{
	sessions, sessionsPeak, received, sent, drops, refusals, handshakes, handshakesBegun, failures, retries, sockets, receiveBuffer, sendBuffer, overflow,
}
