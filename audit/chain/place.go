package chain

import (
	"slices"
)

// place puts a line into the runs of its chain.
func (v *Verifier) place(t *track, l *line) {
	a := alike{l.previous, l.hash, v.at}
	i := t.behind(l.sequence)
	if i > 0 && l.sequence <= t.runs[i-1].to {
		v.again(t, t.runs[i-1], l, a)
		return
	}
	if l.sequence < t.top && !v.config.AnyOrder {
		v.report(Finding{Kind: Misplaced, Chain: t.id, From: l.sequence, To: l.sequence, File: v.at.file, Line: v.at.line})
	}
	t.top = max(t.top, l.sequence)
	t.remember(l)
	if i > 0 && l.sequence == t.runs[i-1].to+1 {
		r := t.runs[i-1]
		v.joint(t, r.to, r.last, &a)
		r.to = l.sequence
		r.last = append(r.last[:0], a)
	} else {
		t.runs = slices.Insert(t.runs, i, &run{l.sequence, l.sequence, a, []alike{a}})
		v.runs++
		i++
	}
	if i < len(t.runs) && t.runs[i].from == l.sequence+1 {
		v.joint(t, l.sequence, t.runs[i-1].last, &t.runs[i].first)
		v.merge(t, i)
	}
	if v.runs > maxRuns && len(t.runs) > 1 {
		v.gap(t, t.runs[0], t.runs[1])
		v.merge(t, 1)
	}
	v.claimed(t, l.sequence)
}

// merge makes one run of t.runs[i-1] and t.runs[i].
func (v *Verifier) merge(t *track, i int) {
	t.runs[i-1].to, t.runs[i-1].last = t.runs[i].to, t.runs[i].last
	t.runs = slices.Delete(t.runs, i, i+1)
	v.runs--
}

// again is a line with a number that is here. At the end of a run nothing says yet which of them is
// genuine.
func (v *Verifier) again(t *track, r *run, l *line, a alike) {
	same := slices.ContainsFunc(r.last, func(b alike) bool { return b.hash == a.hash })
	if l.sequence == r.to && !same && len(r.last) < maxAlike {
		r.last = append(r.last, a)
		t.remember(l)
		v.claimed(t, l.sequence)
		return
	}
	v.report(Finding{Kind: Repeated, Chain: t.id, From: l.sequence, To: l.sequence, File: v.at.file, Line: v.at.line})
}

// joint judges the lines with the number sequence by the line that was written after one of them.
func (v *Verifier) joint(t *track, sequence uint64, lines []alike, next *alike) {
	genuine := slices.IndexFunc(lines, func(a alike) bool { return a.hash == next.previous })
	for i, a := range lines {
		f := Finding{Kind: Inserted, Chain: t.id, From: sequence, To: sequence, File: a.at.file, Line: a.at.line}
		switch {
		case i == genuine:
			continue
		case genuine < 0:
			f.Kind = Altered
		}
		v.report(f)
	}
}

// gap reports the lines between two runs.
func (v *Verifier) gap(t *track, a, b *run) {
	v.report(Finding{Kind: Missing, Chain: t.id, From: a.to + 1, To: b.from - 1, File: b.first.at.file, Line: b.first.at.line})
}

// finish judges a chain of which no more lines come.
func (v *Verifier) finish(t *track) {
	delete(v.chains, t.id)
	v.runs -= len(t.runs)
	if len(t.runs) == 0 {
		v.report(Finding{Kind: Earlier, Chain: t.id, From: 1, To: t.next})
		return
	}
	if first := t.runs[0]; first.from > 1 {
		v.report(Finding{Kind: Earlier, Chain: t.id, From: 1, To: first.from - 1, File: first.first.at.file, Line: first.first.at.line})
	}
	for i, r := range t.runs[1:] {
		v.gap(t, t.runs[i], r)
	}
	v.tail(t)
}

// tail judges the end of a chain.
func (v *Verifier) tail(t *track) {
	r := t.runs[len(t.runs)-1]
	f := Finding{Chain: t.id, From: r.to, To: r.to, File: r.last[0].at.file, Line: r.last[0].at.line, Time: t.signedAt}
	for _, a := range r.last[1:] {
		v.report(Finding{Kind: Repeated, Chain: t.id, From: r.to, To: r.to, File: a.at.file, Line: a.at.line})
	}
	switch torn := t.nextTorn && r.to == t.next+1; {
	case t.end > 0 && r.to > t.end:
		f.Kind, f.From = Inserted, t.end+1
		v.report(f)
		return
	case t.end > 0:
		return
	case t.next > r.to:
		v.report(Finding{Kind: Missing, Chain: t.id, From: r.to + 1, To: t.next})
		return
	case t.next == r.to || torn:
		f.Kind = Killed
		v.report(f)
	default:
		f.Kind = Open
		v.report(f)
	}
	if r.to > t.signed {
		f.Kind, f.From = Unsigned, t.signed+1
		v.report(f)
	}
}
