package matrix

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// row is what the report says of a run.
type row struct {
	name string
	seed int

	datagrams          int // sent by both ends
	network            netsim.Stats
	payloads, messages int // delivered
	refused            int // messages for which there was no room
	twice, resumed     int
	dials              int
	joined             time.Duration // how long joining took
	longest            time.Duration // between two payloads of one direction
	back               time.Duration // until one came after the impairment
	rested             time.Duration // until all messages had arrived after the last was sent
	ticks              int
	handshake          [3]int // datagrams sent until the player had joined: any, the player's, the server's
}

type report struct{ rows []row }

func (r *report) add(name string, seed int, of row) {
	of.name, of.seed = name, seed
	r.rows = append(r.rows, of)
}

func (r *report) String() string {
	slices.SortFunc(r.rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.seed, b.seed)) })
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "datagrams\tlost\tpayloads\tmessages\tno room\ttwice\tresumed\tdials\tjoined\tlongest gap\tback after\trest\tticks\tseed\t  cell\n")
	ms := func(d time.Duration) string { return fmt.Sprint(d.Milliseconds(), " ms") }
	for _, r := range r.rows {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%d\t%d\t  %s\n", r.datagrams, r.network.Lost+r.network.Refused, r.payloads, r.messages, r.refused,
			r.twice, r.resumed, r.dials, ms(r.joined), ms(r.longest), ms(r.back), ms(r.rested), r.ticks, r.seed, r.name)
	}
	_ = w.Flush()
	return fmt.Sprintf("%d cells\n%s", len(r.rows), &b)
}
