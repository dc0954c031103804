package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/transport"
)

// Metrics is a prometheus.Collector for one server. It is safe for concurrent use.
type Metrics struct {
	config Config    // set by New, constant afterwards
	began  time.Time // likewise

	steps      map[transport.StepKind]*prometheus.HistogramVec // constant
	poll       prometheus.Histogram
	rtt        prometheus.Histogram
	jitter     prometheus.Histogram
	loss       *prometheus.HistogramVec
	apply      prometheus.Histogram
	calls      *prometheus.HistogramVec
	operations operations
	gauges     []*prometheus.Desc // of what is asked for when scraped
}

var _ prometheus.Collector = (*Metrics)(nil)

// New returns the metrics of one server. Errors match ErrConfig.
func New(config Config) (*Metrics, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	m := &Metrics{
		config: config, began: time.Now(), steps: make(map[transport.StepKind]*prometheus.HistogramVec),
		poll: prometheus.NewHistogram(poll), rtt: prometheus.NewHistogram(rtt), jitter: prometheus.NewHistogram(jitter),
		loss: prometheus.NewHistogramVec(loss, []string{"direction"}), apply: prometheus.NewHistogram(apply),
		calls: prometheus.NewHistogramVec(call, []string{"operation", "code"}),
	}
	for kind, opts := range steps {
		m.steps[kind] = prometheus.NewHistogramVec(opts, []string{"outcome"})
		for _, outcome := range []string{outcomeOK, outcomeRefused, outcomeLeft} { // a rate needs the zero before the first
			m.steps[kind].WithLabelValues(outcome)
		}
	}
	for _, direction := range []string{directionIn, directionOut} {
		m.loss.WithLabelValues(direction)
	}
	if config.Revocations != nil {
		m.gauges = append(m.gauges, stale, full, age, missing, applied, skew, ignored)
	}
	if config.Publisher != nil {
		m.gauges = append(m.gauges, stored, size, queued, refused, behind)
	}
	if len(config.Certificates) > 0 {
		m.gauges = append(m.gauges, expiry, life)
	}
	return m, nil
}

// Exchange counts the steps of an exchange: it is for transport.Config.OnExchange, and takes some
// microseconds.
func (m *Metrics) Exchange(e transport.Exchange) {
	for _, s := range e.Steps {
		vec := m.steps[s.Kind]
		if vec == nil {
			continue
		}
		outcome := outcomeRefused
		if s.Outcome == outcomeOK || s.Outcome == outcomeLeft {
			outcome = s.Outcome
		}
		m.observe(vec.WithLabelValues(outcome), s.End.Sub(s.Start).Seconds(), e.Trace)
	}
}

func (m *Metrics) observe(o prometheus.Observer, v float64, trace transport.TraceID) {
	if x, ok := o.(prometheus.ExemplarObserver); ok && m.config.Exemplars && trace != (transport.TraceID{}) {
		x.ObserveWithExemplar(v, prometheus.Labels{"trace_id": trace.String()})
		return
	}
	o.Observe(v)
}

// ObservePoll counts a call of Server.Poll, from any goroutine. The tick as a whole is for
// ObserveTick of the library's package metrics. Without it the histogram stays empty.
func (m *Metrics) ObservePoll(took time.Duration) { m.poll.Observe(took.Seconds()) }

// RevocationApplied counts how long a record took from its publication, by the publisher's clock,
// until it was in force here, which is now. Records published before the process began, or more
// than a day ago, are not counted: their age is no delay. A publisher whose clock is ahead counts
// as having none.
func (m *Metrics) RevocationApplied(published time.Time) {
	now := time.Now()
	if took := now.Sub(published); took < maxDelay && !published.Before(m.began) {
		m.apply.Observe(max(took, 0).Seconds())
	}
}

// collectors are the parts that collect themselves.
func (m *Metrics) collectors(yield func(prometheus.Collector) bool) {
	parts := []prometheus.Collector{m.poll, m.rtt, m.jitter, m.loss, m.apply, m.calls}
	for _, vec := range m.steps {
		parts = append(parts, vec)
	}
	slices.Values(parts)(yield)
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for c := range m.collectors {
		c.Describe(out)
	}
	for _, d := range m.gauges {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	for c := range m.collectors {
		c.Collect(out)
	}
	m.collectRevocations(out)
	m.collectPublisher(out)
	m.collectCertificates(out)
}
