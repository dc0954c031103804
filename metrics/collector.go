package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/transport"
)

// maxScrapes is how many scrapes are answered at once: two Prometheus servers and a person.
const maxScrapes = 4

// Collector is a prometheus.Collector of one server. It is safe for concurrent use.
type Collector struct {
	stats func() transport.Stats // constant
	ticks prometheus.Histogram   // likewise
}

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector returns a Collector of what stats counts: pass the method Stats of a
// transport.Server. It is called for each scrape, by several goroutines at once.
func NewCollector(stats func() transport.Stats) *Collector {
	return &Collector{stats: stats, ticks: prometheus.NewHistogram(tick)}
}

// ObserveTick counts a tick of the match, which the library does not see: call it at the end of
// each with the time since the beginning, from any goroutine. Without it the histogram stays empty.
func (c *Collector) ObserveTick(took time.Duration) { c.ticks.Observe(took.Seconds()) }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range all {
		out <- d
	}
	c.ticks.Describe(out)
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	s := c.stats()
	gauge := func(d *prometheus.Desc, n int) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge(sessions, s.Sessions)
	gauge(sessionsPeak, s.SessionsPeak)
	count(received, s.Received)
	count(sent, s.Sent)
	for d := audit.DropNone + 1; d.Describe() != ""; d++ { // all of them: a rate needs the zero before the first
		count(drops, s.Drops[d.String()], d.String())
	}
	for cause, n := range s.Refusals { // one appears with its first
		count(refusals, n, cause)
	}
	for cause, n := range s.Handshakes.FailedBy {
		count(failures, n, cause)
	}
	count(handshakes, s.Handshakes.Completed, "completed")
	count(handshakes, s.Handshakes.Failed, "failed")
	count(handshakesBegun, s.Handshakes.Started)
	r := s.Handshakes.Retries
	count(retries, r.Sent, "sent")
	count(retries, r.Returned, "returned")
	count(retries, r.Vouched, "vouched")
	count(retries, r.Wrong, "wrong")
	gauge(sockets, s.Socket.Shards)
	gauge(receiveBuffer, s.Socket.ReceiveBuffer)
	gauge(sendBuffer, s.Socket.SendBuffer)
	count(overflow, s.Socket.Overflow)
	c.ticks.Collect(out)
}

// Handler serves the metrics of collectors, of the Go runtime (go_…) and of the process
// (process_…), as Prometheus text or as OpenMetrics. It answers anybody: package statuspage, whose
// Config.Metrics it fits, restricts that. It panics if two collectors have a metric in common, as
// two of NewCollector do.
func Handler(own ...prometheus.Collector) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(own...)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, EnableOpenMetrics: true})
}
