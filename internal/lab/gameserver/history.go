package gameserver

import "github.com/sallyport/sallyport/internal/lab/tally"

// historySeconds is how far back the page shows drops: long enough for an operator who was looking elsewhere.
const historySeconds = 120

// history holds the drops of each of the last seconds, by reason. The zero value is ready.
type history struct {
	last    tally.Counts   // totals as of the last sample
	columns []tally.Counts // what each second has added, the oldest first
}

// add takes the totals of all time, a second after the last ones.
func (h *history) add(totals tally.Counts) {
	added := totals.Since(h.last)
	if len(h.columns) == 0 { // what came before the first sample is not of its second
		clear(added)
	}
	h.last = totals
	if len(h.columns) == historySeconds {
		copy(h.columns, h.columns[1:])
		h.columns = h.columns[:historySeconds-1]
	}
	h.columns = append(h.columns, added)
}

// seconds is a copy with a row of historySeconds numbers for each reason that is not all zero.
func (h *history) seconds() map[string][]uint64 {
	rows := make(map[string][]uint64)
	for i, column := range h.columns {
		for reason, n := range column {
			if rows[reason] == nil {
				rows[reason] = make([]uint64, historySeconds)
			}
			rows[reason][historySeconds-len(h.columns)+i] = n
		}
	}
	return rows
}
