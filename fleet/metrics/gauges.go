package metrics

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// others is the label of publishers that have no series of their own.
const others = "others"

func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func count(out chan<- prometheus.Metric, d *prometheus.Desc, n uint64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// collectRevocations shows what is known of revocations.
func (m *Metrics) collectRevocations(out chan<- prometheus.Metric) {
	if m.config.Revocations == nil {
		return
	}
	status := m.config.Revocations()
	gauge(out, stale, truth(status.Stale))
	gauge(out, full, truth(status.Full))
	for _, p := range summarize(status.Publishers) {
		a := math.Inf(1)
		if p.Heard {
			a = p.Age.Seconds()
		}
		gauge(out, age, a, p.Name)
		gauge(out, missing, float64(p.Last-min(p.Applied, p.Last)), p.Name)
		gauge(out, applied, float64(p.Applied), p.Name)
		gauge(out, skew, p.Skew.Seconds(), p.Name)
	}
	counts := status.Counts
	for _, c := range [...]struct {
		cause string
		n     uint64
	}{
		{"unknown", counts.Unknown},
		{"forged", counts.Forged},
		{"malformed", counts.Malformed},
		{"old", counts.Old},
		{"forbidden", counts.Forbidden},
		{"fork", counts.Forks},
		{"overflow", counts.Overflow},
	} {
		count(out, ignored, c.n, c.cause)
	}
}

// collectPublisher shows how this process fares as a publisher.
func (m *Metrics) collectPublisher(out chan<- prometheus.Metric) {
	if m.config.Publisher == nil {
		return
	}
	s := m.config.Publisher()
	gauge(out, stored, float64(s.Records))
	gauge(out, size, float64(s.Bytes))
	gauge(out, queued, float64(s.Queued))
	count(out, refused, s.Refused)
	gauge(out, behind, float64(s.Unstored))
}

// summarize returns at most maxPublishers publishers, one of each name, and one more that stands for
// the rest: its age, gap and skew are the largest of theirs, and its records their sum. Publishers
// that have said that no more will come are left out: their age says nothing.
func summarize(all []revocation.PublisherStatus) []revocation.PublisherStatus {
	all = slices.DeleteFunc(slices.Clone(all), func(p revocation.PublisherStatus) bool { return p.Closed })
	for i := range all {
		all[i].Name = strings.ToValidUTF8(cmp.Or(all[i].Name, others), "\uFFFD")
	}
	var list []revocation.PublisherStatus
	at := make(map[string]int)
	for _, p := range all {
		if _, known := at[p.Name]; !known && len(list) >= maxPublishers {
			p.Name = others
		}
		i, known := at[p.Name]
		if !known {
			at[p.Name] = len(list)
			list = append(list, p)
			continue
		}
		q := &list[i]
		gap := max(p.Last-min(p.Applied, p.Last), q.Last-min(q.Applied, q.Last))
		q.Applied += p.Applied
		q.Last = q.Applied + gap
		q.Heard = q.Heard && p.Heard
		q.Age = max(q.Age, p.Age)
		if p.Skew.Abs() > q.Skew.Abs() {
			q.Skew = p.Skew
		}
	}
	return list
}

// collectCertificates shows when certificates expire, and how long they live.
func (m *Metrics) collectCertificates(out chan<- prometheus.Metric) {
	for name, validity := range m.config.Certificates {
		if from, until := validity(); !until.IsZero() {
			gauge(out, expiry, float64(until.UnixMilli())/float64(time.Second/time.Millisecond), name)
			gauge(out, life, until.Sub(from).Seconds(), name)
		}
	}
}
