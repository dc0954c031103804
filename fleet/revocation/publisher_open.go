package revocation

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// open reads the store, adds what the carrier has besides, begins an epoch and signs everything
// again in it, so that one epoch's segments are the whole history.
func (p *Publisher) open(now time.Time) error {
	st, branches, segments, damaged, err := openStore(p.config.Dir)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	public := p.config.Key.Public()
	for i, b := range segments {
		s, ok := parseSegment(b)
		if !ok || s.publisher != p.id || !verify(b, public) || !p.history.adopt(&s, b) {
			for _, b := range segments[i:] {
				damaged += len(b)
			}
			break
		}
	}
	if damaged > 0 {
		p.config.Logger.Warn("revocation: the store ended with bytes that are no record, as after a crash; they were cut, and the file kept as "+damagedFile,
			"publisher", p.config.Name, "bytes", damaged, "last", p.history.last)
		if err := st.keepDamaged(); err != nil {
			return closeAfter(st, err)
		}
	}
	epoch := uint64(now.UnixMicro())
	for _, b := range branches {
		epoch = max(epoch, b.epoch+1)
	}
	slices.Reverse(branches)
	newest, adopted := p.recover(branches)
	if adopted {
		branches = nil // the history went through others
	}
	p.epoch, p.first = max(epoch, newest+1), p.history.last+1
	branches = append([]branch{{p.epoch, p.first}}, branches...)
	p.branches = branches[:min(len(branches), maxBranches)]
	if err := p.resign(now); err != nil {
		return closeAfter(st, err)
	}
	f, err := st.begin(p.frames())
	if err == nil {
		err = st.finish(f, nil)
	}
	if err != nil {
		return closeAfter(st, err)
	}
	p.store = st
	for _, k := range p.history.kept {
		p.carried.dirty[k.first] = true
	}
	return nil
}

func closeAfter(st *store, err error) error {
	_ = st.close()
	return err
}

// recover takes from the carrier's state what this publisher has signed and its store does not have,
// and returns the newest epoch there. It reports whether it has taken anything that is not of the
// store's newest epoch. The carrier may be away, or know nothing.
//
// +checklocks:p.mu
func (p *Publisher) recover(branches []branch) (epoch uint64, other bool) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	var stored [][]byte
	err := p.config.Carrier.Load(ctx, p.id, 0, func(_ StateKey, b []byte) error {
		stored = append(stored, slices.Clone(b))
		return nil
	})
	public, known := p.config.Key.Public(), p.history.last
	for _, b := range stored {
		s, ok := parseSegment(b)
		if !ok || s.publisher != p.id || s.epoch <= epoch && s.end <= p.history.last+1 || !verify(b, public) {
			continue
		}
		epoch = max(epoch, s.epoch)
		if p.history.adopt(&s, b) && (len(branches) == 0 || s.epoch != branches[0].epoch) {
			other = true
		}
	}
	if err != nil {
		p.config.Logger.Info("revocation: the carrier does not say what it has; the store alone counts", "publisher", p.config.Name, "error", err)
	}
	if p.history.last > known {
		p.config.Logger.Warn("revocation: the store had lost records; the carrier had them", "publisher", p.config.Name, slog.Uint64("from", known+1), slog.Uint64("to", p.history.last))
	}
	return epoch, other
}

// resign merges what is kept and signs it in the new epoch.
//
// +checklocks:p.mu
func (p *Publisher) resign(now time.Time) error {
	merged, err := p.merge(p.history.kept, now, true)
	if err == nil {
		p.history.kept = merged
	}
	return err
}

// frames returns the store's file for what is kept.
//
// +checklocks:p.mu
func (p *Publisher) frames() (b []byte) {
	for _, e := range slices.Backward(p.branches) {
		b = appendFrame(b, frameEpoch, epochFrame(e))
	}
	for _, k := range p.history.kept {
		b = appendFrame(b, frameSegment, k.bytes)
	}
	return b
}
