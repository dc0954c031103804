package gameserver

import (
	"time"

	"github.com/sallyport/sallyport/internal/lab/statuspage"
	"github.com/sallyport/sallyport/transport"
)

// lossSamples is over how many samples loss is averaged, since one lost of 60 datagrams is no loss of 2 percent.
const lossSamples = 8

// meter makes a rate of a counter that only grows. The first sample of a meter gives none.
type meter struct {
	last      uint64
	begun     bool
	perSecond float64
}

// rate takes the counter's value, seconds after the last one.
func (m *meter) rate(count uint64, seconds float64) {
	if m.begun && seconds > 0 && count >= m.last {
		m.perSecond = float64(count-m.last) / seconds
	}
	m.last, m.begun = count, true
}

// playerMeters are what one player's row needs beyond the moment.
type playerMeters struct {
	received, lost meter
	lossOf, lossIn float64   // datagrams a second, averaged: lost, and lost or received
	since          time.Time // of the last sample
	rtt            time.Duration
	fingerprint    string
}

func (m *playerMeters) sample(p *transport.Player, now time.Time) {
	stats, seconds := p.Stats(), now.Sub(m.since).Seconds()
	m.since = now
	m.received.rate(stats.Received, seconds)
	m.lost.rate(stats.Lost, seconds)
	m.lossOf += (m.lost.perSecond - m.lossOf) / lossSamples
	m.lossIn += (m.lost.perSecond + m.received.perSecond - m.lossIn) / lossSamples
	m.rtt, m.fingerprint = stats.RTT, fingerprint(stats.Doubt)
}

// fingerprint is a doubt in the page's words.
func fingerprint(doubt transport.Doubt) string {
	switch doubt {
	case transport.DoubtStepUp:
		return "step up"
	case transport.DoubtFlagged:
		return "noted"
	}
	return "ok"
}

// fill writes what was measured into a row.
func (m *playerMeters) fill(p *statuspage.Player) {
	p.RTT = float64(m.rtt) / float64(time.Millisecond)
	p.Rate = m.received.perSecond
	if m.lossIn > 0 {
		p.Loss = 100 * m.lossOf / m.lossIn
	}
	p.Fingerprint = m.fingerprint
}
