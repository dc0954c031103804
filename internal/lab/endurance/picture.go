package endurance

import (
	"fmt"
	"io"
	"strings"
)

// The picture's measures, in SVG's units.
const (
	chartWidth  = 720
	chartHeight = 90
	chartLeft   = 110
	chartTop    = 34
	chartGap    = 34
)

// chart is one line over time.
type chart struct {
	name string
	of   func(Sample) float64
	text func(float64) string
}

var charts = []chart{
	{"sessions", func(s Sample) float64 { return float64(s.Sessions) }, whole},
	{"goroutines", func(s Sample) float64 { return float64(s.Goroutines) }, whole},
	{"live heap", func(s Sample) float64 { return float64(s.Heap) }, megabytes},
	{"resident memory", func(s Sample) float64 { return float64(s.Resident) }, megabytes},
	{"descriptors", func(s Sample) float64 { return float64(s.Descriptors) }, whole},
}

func whole(v float64) string { return fmt.Sprintf("%.0f", v) }

// WriteSVG draws the server's process over time, each value from 0 to its highest.
func (r *Report) WriteSVG(w io.Writer) error {
	height := chartTop + len(charts)*(chartHeight+chartGap)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		chartLeft+chartWidth+20, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	fmt.Fprintf(&b, `<text x="10" y="20" font-size="14">The match server's process in %.0f s with %d players: %s</text>`+"\n",
		r.elapsed.Seconds(), r.Players, r.Verdict)
	for i, c := range charts {
		c.draw(&b, r.Samples, chartTop+i*(chartHeight+chartGap))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// draw draws a chart whose upper edge is at top.
func (c chart) draw(b *strings.Builder, samples []Sample, top int) {
	highest, end := 0.0, 1.0
	for _, s := range samples {
		highest, end = max(highest, c.of(s)), max(end, s.At)
	}
	fmt.Fprintf(b, `<text x="10" y="%d">%s</text>`+"\n", top+14, c.name)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#666">%s</text>`+"\n", chartLeft-6, top+30, c.text(highest))
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#666">0</text>`+"\n", chartLeft-6, top+chartHeight)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#666">%.0f s</text>`+"\n", chartLeft+chartWidth, top+chartHeight+14, end)
	fmt.Fprintf(b, `<path d="M%d %dV%dH%d" fill="none" stroke="#999"/>`+"\n", chartLeft, top, top+chartHeight, chartLeft+chartWidth)
	if highest == 0 {
		return
	}
	fmt.Fprintf(b, `<polyline fill="none" stroke="#06c" stroke-width="1.5" points="`)
	for _, s := range samples {
		fmt.Fprintf(b, "%.1f,%.1f ", chartLeft+s.At/end*chartWidth, float64(top)+chartHeight*(1-c.of(s)/highest))
	}
	b.WriteString(`"/>` + "\n")
}
